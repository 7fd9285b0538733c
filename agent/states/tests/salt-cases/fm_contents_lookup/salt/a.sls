nothing:
  file.managed:
    - name: "@R@/new"
    - contents_pillar: p:nothing
nothing_there:
  file.managed:
    - name: "@R@/there"
    - contents_pillar: p:nothing
nothing_moded:
  file.managed:
    - name: "@R@/moded"
    - contents_pillar: p:nothing
    - mode: '0600'
joined:
  file.managed:
    - name: "@R@/joined"
    - contents_pillar: [p:text, p:text]
no_texts:
  file.managed:
    - name: "@R@/no_texts"
    - contents_pillar: [p:text, p:number]
line_ends:
  file.managed:
    - name: "@R@/line_ends"
    - contents: "a\x0bb\x0cc\rd\r\ne\u2028f"
