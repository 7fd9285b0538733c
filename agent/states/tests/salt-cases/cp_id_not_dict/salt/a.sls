x: [test.nop]
y: nodots
z:
