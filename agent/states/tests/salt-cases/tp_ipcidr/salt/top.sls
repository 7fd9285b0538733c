base:
  '10.1.2.3':
    - match: ipcidr
    - a
  '10.1.0.0/16':
    - match: ipcidr
    - b
  '10.1.2.3/16':
    - match: ipcidr
    - c
  'fd00::/8':
    - match: ipcidr
    - d
  'words':
    - match: ipcidr
    - e
  '10.1.0.0/255.255.0.0':
    - match: ipcidr
    - f
