merged:
  file.serialize:
    - name: @R@/y.yaml
    - serializer: yaml
    - merge_if_exists: True
    - dataset: {n: 1}
