x: 5
y: {test.nop: []}
