#!json
{"nums": {"file.serialize": [{"name": "@R@/nums"}, {"serializer": "json"}, {"dataset": {"a": NaN, "b": -Infinity, "c": 1e5, "d": 1E-7, "e": 1.5e20, "f": 1.50, "g": 123456789012345678901234567890, "s": "NaN 1e5"}}]}}
