{% from 'sub//map.jinja' import word, place %}
twice:
  file.managed: [{name: '@R@/twice'}, {source: 'salt://sub//x'}]
here:
  file.managed: [{name: '@R@/here'}, {source: 'salt://./sub/./x'}]
behind:
  file.managed: [{name: '@R@/behind'}, {source: 'salt://sub/x/'}]
up:
  file.managed: [{name: '@R@/up'}, {source: 'salt://sub/../sub/x'}]
one_of_a_list:
  file.managed: [{name: '@R@/one_of_a_list'}, {source: ['salt://sub//x', 'salt://sub/y']}]
in_front:
  file.managed: [{name: '@R@/in_front'}, {source: 'salt:///sub/x'}]
added:
  file.append: [{name: '@R@/added'}, {source: 'salt://sub//y'}]
taken:
  file.managed: [{name: '@R@/taken'}, {contents: {{ (word ~ salt['cp.get_file_str']('salt://sub//y') ~ place)|json }}}]
