again:
  file.patch:
    - name: "@R@/f"
    - source: salt://f.patch
relative:
  file.patch:
    - name: f
    - source: salt://f.patch
missing:
  file.patch:
    - name: "@R@/none"
    - source: salt://f.patch
no-source:
  file.patch:
    - name: "@R@/g"
    - source: [salt://none.patch, salt://none2.patch]
refused:
  file.patch:
    - name: "@R@/g"
    - source: salt://f.patch
    - options: '-N -r x --fuzz=0'
strip-word:
  file.patch:
    - name: "@R@/g"
    - source: salt://f.patch
    - options: '-px'
strip-word-2:
  file.patch:
    - name: "@R@/g"
    - source: salt://f.patch
    - options: '--strip'
rejects:
  file.patch:
    - name: "@R@/g"
    - source: salt://f.patch
    - reject_file: rej
rejects-2:
  file.patch:
    - name: "@R@/g"
    - source: salt://f.patch
    - reject_file: "@R@/none/rej"
garbage:
  file.patch:
    - name: "@R@/g"
    - source: salt://a.sls
nameless:
  file.patch:
    - name: ''
    - source: salt://f.patch
folder-strip:
  file.patch:
    - name: "@R@/e"
    - source: salt://d.patch
    - strip: 5
