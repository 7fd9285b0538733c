app:
  ini.options_present:
    - name: @R@/app.ini
    - sections:
        top: 2
        alt: 3
        commented: new
        first:
          key: other
          hidden: seen
          empty: full
          key2: value2
          new: [a, 1, null]
          truth: true
          nothing: null
          number: 1.50
        " spaced name ":
          x: y
        third:
          one: 1
        fourth: {}
again:
  ini.options_present:
    - name: @R@/app.ini
    - sections:
        top: 2
        third:
          one: 1
nospace:
  ini.options_present:
    - name: @R@/nospace.ini
    - no_spaces: True
    - sections:
        first:
          key2: 3
crlf:
  ini.options_present:
    - name: @R@/crlf.ini
    - sections:
        w:
          c: 3
colon:
  ini.options_present:
    - name: @R@/colon.ini
    - separator: ':'
    - sections:
        x:
          a: 2
          c: 4
space:
  ini.options_present:
    - name: @R@/space.ini
    - separator: ' '
    - sections:
        x:
          a: 2
          c: 4
new:
  ini.options_present:
    - name: @R@/new.ini
    - sections:
        x:
          a: 2
        y: z
empty:
  ini.options_present:
    - name: @R@/empty.ini
    - sections:
        q: r
nothing:
  ini.options_present:
    - name: @R@/empty.ini
nothing new:
  ini.options_present:
    - name: @R@/none.ini
no folder:
  ini.options_present:
    - name: @R@/none/none.ini
    - sections:
        a: b
a folder:
  ini.options_present:
    - name: @R@
    - sections:
        a: b
latin:
  ini.options_present:
    - name: @R@/latin.ini
    - encoding: latin-1
    - sections:
        x:
          b: ü
not a section:
  ini.options_present:
    - name: @R@/app.ini
    - sections:
        first: text
