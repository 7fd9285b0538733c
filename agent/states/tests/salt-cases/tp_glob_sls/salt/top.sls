base:
  '*': ['[a-c]', 'a']
