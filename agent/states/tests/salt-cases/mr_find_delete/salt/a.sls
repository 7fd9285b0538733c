printed:
  module.run:
    - file.find: [{path: @R@/printed}, {delete: f}, {print: name}]
tested:
  module.run:
    - file.find: [{path: @R@/tested}, {delete: f}, {test: true}]
tested_printed:
  module.run:
    - file.find: [{path: @R@/tested}, {delete: a}, {print: name}, {test: true}]
folders:
  module.run:
    - file.find: [{path: @R@/folders}, {delete: d}, {print: type}]
'true':
  module.run:
    - file.find: [{path: @R@/true}, {delete: true}]
wrong_kind:
  module.run:
    - file.find: [{path: @R@/true}, {delete: fx}]
word:
  module.run:
    - file.find: [@R@/word, delete, {name: a}]
no_word:
  module.run:
    - file.find: [{path: @R@/word}, {args: [delete]}]
no_text:
  module.run:
    - file.find: [{path: @R@/word}, {delete: f}, {size: 2}]
links:
  module.run:
    - file.find: [{path: @R@/links}, {delete: l}]
links_followed:
  module.run:
    - file.find: [{path: @R@/links}, {delete: f}, {name: l}]
trimmed:
  module.run:
    - archive.unzip: [{zip_file: @R@/packed}, {dest: @R@/trimmed}, {trim_output: 2}]
not_trimmed:
  module.run:
    - archive.unzip: [{zip_file: @R@/packed}, {dest: @R@/trimmed}, {trim_output: 3}]
trimmed_to_none:
  module.run:
    - archive.unzip: [{zip_file: @R@/packed}, {dest: @R@/trimmed}, {trim_output: 0}]
commands:
  module.run:
    - archive.cmd_unzip: [{zip_file: @R@/packed}, {dest: @R@/commands}, {trim_output: 1}]
ignored:
  module.run:
    - archive.unzip: [{zip_file: @R@/packed}, {dest: @R@/trimmed}, {options: -l}]
