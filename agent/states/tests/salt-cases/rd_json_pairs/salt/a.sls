#!json
{"x": {"test.nop": [{"name": "n\u00e9 \ud83d\ude00 \\ud83d\\ude00 \/"}]}, "y": {"test": ["nop"]}}
