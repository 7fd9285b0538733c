#!jinja
first line kept: {{ 1 }}
