escaped:
  file.serialize:
    - name: @R@/escaped
    - serializer: yaml
    - dataset: {é: ü, list: [a, "x\ty"], sign: "€ and 😀"}
encoded:
  file.serialize:
    - name: @R@/encoded
    - encoding: utf-8
    - dataset: {é: ü, list: [a, "x\ty"], sign: "€ and 😀"}
asked:
  file.serialize:
    - name: @R@/asked
    - dataset: {é: ü, sign: "€ and 😀"}
    - serializer_opts:
      - allow_unicode: true
