no result:
  test.configurable_test_state: [{changes: false}, {result: ~}]
no words:
  cmd.run: [{name: ""}]
blank:
  cmd.run: [{name: "  "}]
no dataset:
  file.serialize: [{name: @R@/f}, {dataset_pillar: empty}]
no text:
  file.managed: [{name: @R@/g}, {contents_pillar: empty}]
