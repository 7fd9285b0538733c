hello: {{ who }}
include: [s]
