crew:
  group.present:
    - members: []
staff:
  group.present:
    - addusers: [ann]
    - delusers: [games]
root:
  group.present:
    - members: [ann]
