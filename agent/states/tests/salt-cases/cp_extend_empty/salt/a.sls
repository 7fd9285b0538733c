extend: {}
