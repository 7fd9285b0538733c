copied:
  module.run:
    - name: cp.get_file
    - path: salt://from.txt
    - dest: "@R@/to.txt"
no_folder:
  module.run:
    - cp.get_file:
      - salt://from.txt
      - "@R@/none/to.txt"
makedirs:
  module.run:
    - cp.get_file:
      - path: salt://from.txt
      - dest: "@R@/some/to.txt"
      - makedirs: true
no_source:
  module.run:
    - cp.get_file: [salt://none.txt, "@R@/none.txt"]
slept:
  module.run:
    - test.sleep: [{length: 0}]
mine:
  module.run:
    - mine.update: []
    - mine.send: [test.ping]
    - mine.flush: []
synced:
  module.run:
    - saltutil.sync_matchers: []
    - saltutil.sync_output: []
    - saltutil.sync_tops: []
