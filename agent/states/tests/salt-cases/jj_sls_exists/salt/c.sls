include: [b]
c: {test.nop: [{require: [{sls: nowhere}]}]}
