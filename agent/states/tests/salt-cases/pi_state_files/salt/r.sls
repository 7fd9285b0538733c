k: base
