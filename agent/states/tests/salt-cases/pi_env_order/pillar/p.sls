s: base
b: {{ saltenv }}
