include: [sub.below, sub.deep.er]
a:
  test.nop:
    - require: [{sls: sub.}]
