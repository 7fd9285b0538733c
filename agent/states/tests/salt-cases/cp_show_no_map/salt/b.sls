x: [{test.nop: [a]}]
