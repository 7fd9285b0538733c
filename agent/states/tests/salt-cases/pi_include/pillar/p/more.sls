own: {a: 0, b: 2}
more: {{ sls }}
