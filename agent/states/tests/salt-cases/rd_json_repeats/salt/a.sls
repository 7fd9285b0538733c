#!json
{"x": {"test.nop": [{"name": "first"}]}, "y": {"test": ["nop"]}, "x": {"test.nop": [{"name": "last"}]}}
