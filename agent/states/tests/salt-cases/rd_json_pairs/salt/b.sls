#!json
{"x": {"test.nop": []},}
