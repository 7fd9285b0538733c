#!jinja
x: {test.nop: []}
