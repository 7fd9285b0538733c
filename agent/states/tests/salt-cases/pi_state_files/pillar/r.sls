k: pillar
