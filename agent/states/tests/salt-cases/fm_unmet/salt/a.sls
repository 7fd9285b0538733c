
owner:
  file.serialize: [{name: @R@/owner}, {dataset: {a: 1}}, {user: nosuch}]
group_of_old:
  file.serialize: [{name: @R@/old}, {dataset: {a: 1}}, {group: nosuch}]
mode:
  file.managed: [{name: @R@/mode}, {contents: x}, {mode: u+x}]
mode_of_old:
  file.managed: [{name: @R@/old_mode}, {contents: x}, {mode: u+x}]
mode_empty:
  file.managed: [{name: @R@/mode_empty}, {contents: x}, {mode: ''}]
no_lines:
  file.managed: [{name: @R@/old}, {contents: []}]
no_source:
  file.managed: [{name: @R@/old}, {source: ''}]
no_shell:
  file.managed: [{name: @R@/no_shell}, {contents: x}, {check_cmd: echo it is $HOME; false}]
no_shell_refuses:
  file.managed: [{name: @R@/refused}, {contents: x}, {check_cmd: grep -q 'no such'}]
no_program:
  file.managed: [{name: @R@/refused}, {contents: x}, {check_cmd: no-such-program}]
ends_as_folder:
  file.managed: [{name: @R@/folder/}, {contents: x}]
