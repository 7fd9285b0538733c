one:
  pkg.installed:
    - sources:
      - mt-a: /srv/packages/mt-a_1.0_all.deb
newer:
  pkg.installed:
    - sources:
      - mt-b: /srv/packages/mt-b_2.0_all.deb
there:
  pkg.installed:
    - sources:
      - mt-c: /srv/packages/mt-c_1.0_all.deb
