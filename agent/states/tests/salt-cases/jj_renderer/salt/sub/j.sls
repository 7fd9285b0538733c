#!json
{"j": [1]}
