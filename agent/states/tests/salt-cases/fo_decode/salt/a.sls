
new:
  file.decode: [{name: @R@/new}, {encoding_type: base64}, {encoded_data: SGVsbG8=}]
lines:
  file.decode:
    - name: @R@/old
    - checksum: sha256
    - encoded_data: |
        SGVs
        bG8gYWdhaW4K
pillar:
  file.decode: [{name: @R@/pillar}, {contents_pillar: 'deep:data'}]
no_pillar:
  file.decode: [{name: @R@/none}, {contents_pillar: none}]
neither:
  file.decode: [{name: @R@/none}]
both:
  file.decode: [{name: @R@/none}, {encoded_data: SGVsbG8=}, {contents_pillar: 'deep:data'}]
broken:
  file.decode: [{name: @R@/old}, {encoded_data: SGVsbG8}]
