#!yaml|jinja
x: {test.nop: []}
