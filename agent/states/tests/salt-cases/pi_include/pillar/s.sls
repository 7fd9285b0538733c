s: {{ who }}
