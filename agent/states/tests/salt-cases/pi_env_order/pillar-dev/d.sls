s: dev
d: {{ saltenv }}
