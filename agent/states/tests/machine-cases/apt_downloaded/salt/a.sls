mt-a: pkg.downloaded
mt-b: pkg.downloaded
exact:
  pkg.downloaded:
    - name: mt-b
    - version: '1.0'
