sls:
  test.show_notification:
    - text: "tpldir={{ tpldir|default('-') }} tplfile={{ tplfile|default('-') }} tpldot={{ tpldot|default('-') }} tplroot={{ tplroot|default('-') }} sls={{ sls|default('-') }} slspath={{ slspath|default('-') }} sls_path={{ sls_path|default('-') }} slsdotpath={{ slsdotpath|default('-') }} slscolonpath={{ slscolonpath|default('-') }} saltenv={{ saltenv|default('-') }} env={{ env|default('-') }} name={{ name|default('-') }} source={{ source|default('-') }} user={{ user|default('-') }} group={{ group|default('-') }} mode={{ mode|default('-') }} attrs={{ attrs|default('-') }} x={{ x|default('-') }} y={{ y|default('-') }}"
managed:
  file.managed:
    - name: "@R@/managed"
    - source: salt://sub/t.jinja
    - template: jinja
    - mode: 640
    - context: {x: 1}
    - defaults: {x: 2, y: 3}
found:
  file.managed:
    - name: "@R@/found"
    - source: [salt://none, salt://sub/t.jinja]
    - template: jinja
local:
  file.managed:
    - name: "@R@/from_local"
    - source: "@R@/local.jinja"
    - template: jinja
contents:
  file.managed:
    - name: "@R@/contents"
    - contents: "tpldir={{ '{{' }} tpldir|default('-') }} tplfile={{ '{{' }} tplfile|default('-') }} tpldot={{ '{{' }} tpldot|default('-') }} tplroot={{ '{{' }} tplroot|default('-') }} sls={{ '{{' }} sls|default('-') }} slspath={{ '{{' }} slspath|default('-') }} sls_path={{ '{{' }} sls_path|default('-') }} slsdotpath={{ '{{' }} slsdotpath|default('-') }} slscolonpath={{ '{{' }} slscolonpath|default('-') }} saltenv={{ '{{' }} saltenv|default('-') }} env={{ '{{' }} env|default('-') }} name={{ '{{' }} name|default('-') }} source={{ '{{' }} source|default('-') }} user={{ '{{' }} user|default('-') }} group={{ '{{' }} group|default('-') }} mode={{ '{{' }} mode|default('-') }} attrs={{ '{{' }} attrs|default('-') }} x={{ '{{' }} x|default('-') }} y={{ '{{' }} y|default('-') }}"
    - template: jinja
recursed:
  file.recurse:
    - name: "@R@/recursed"
    - source: salt://tree
    - template: jinja
    - file_mode: 600
appended:
  file.append:
    - name: "@R@/appended"
    - source: salt://sub/t.jinja
    - template: jinja
script:
  cmd.script:
    - source: salt://sub/s.sh
    - template: jinja
command:
  cmd.run:
    - name: echo "tpldir={{ '{{' }} tpldir|default('-') }} tplfile={{ '{{' }} tplfile|default('-') }} tpldot={{ '{{' }} tpldot|default('-') }} tplroot={{ '{{' }} tplroot|default('-') }} sls={{ '{{' }} sls|default('-') }} slspath={{ '{{' }} slspath|default('-') }} sls_path={{ '{{' }} sls_path|default('-') }} slsdotpath={{ '{{' }} slsdotpath|default('-') }} slscolonpath={{ '{{' }} slscolonpath|default('-') }} saltenv={{ '{{' }} saltenv|default('-') }} env={{ '{{' }} env|default('-') }} name={{ '{{' }} name|default('-') }} source={{ '{{' }} source|default('-') }} user={{ '{{' }} user|default('-') }} group={{ '{{' }} group|default('-') }} mode={{ '{{' }} mode|default('-') }} attrs={{ '{{' }} attrs|default('-') }} x={{ '{{' }} x|default('-') }} y={{ '{{' }} y|default('-') }}"
    - template: jinja
