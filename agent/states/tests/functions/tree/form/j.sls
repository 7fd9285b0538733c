#!jinja|json
{"a": {{ 1 + 1 }}}
