replace:
  module.run:
    - file.replace: [{path: @R@/replace}, {pattern: one}, {repl: uno}]
replace_show:
  module.run:
    - file.replace: [{path: @R@/replace_show}, {pattern: one}, {repl: uno}, {show_changes: false}, {backup: false}]
replace_none:
  module.run:
    - file.replace: [{path: @R@/replace_none}, {pattern: zzz}, {repl: uno}]
replace_dry:
  module.run:
    - file.replace: [{path: @R@/replace_dry}, {pattern: one}, {repl: uno}, {dry_run: true}]
replace_search:
  module.run:
    - file.replace: [{path: @R@/replace_search}, {pattern: one}, {repl: uno}, {search_only: true}]
replace_missing:
  module.run:
    - file.replace: [{path: @R@/replace_missing.missing}, {pattern: one}, {repl: uno}]
replace_missing_ign:
  module.run:
    - file.replace: [{path: @R@/replace_missing_ign.missing}, {pattern: one}, {repl: uno}, {ignore_if_missing: true}]
replace_append:
  module.run:
    - file.replace: [{path: @R@/replace_append}, {pattern: zzz}, {repl: new}, {append_if_not_found: true}]
line:
  module.run:
    - file.line: [{path: @R@/line}, {content: four}, {mode: ensure}, {after: two}]
line_del:
  module.run:
    - file.line: [{path: @R@/line_del}, {content: two}, {mode: delete}]
line_same:
  module.run:
    - file.line: [{path: @R@/line_same}, {content: two}, {mode: ensure}, {after: one}]
line_missing:
  module.run:
    - file.line: [{path: @R@/line_missing.missing}, {content: two}, {mode: ensure}, {after: one}]
line_rep:
  module.run:
    - file.line: [{path: @R@/line_rep}, {content: TWO}, {match: two}, {mode: replace}]
comment:
  module.run:
    - file.comment: [{path: @R@/comment}, {regex: ^two}]
comment_none:
  module.run:
    - file.comment: [{path: @R@/comment_none}, {regex: ^zzz}]
uncomment:
  module.run:
    - file.uncomment: [{path: @R@/uncomment}, {regex: ^cm}]
comment_line:
  module.run:
    - file.comment_line: [{path: @R@/comment_line}, {regex: ^two}]
comment_line_un:
  module.run:
    - file.comment_line: [{path: @R@/comment_line_un}, {regex: ^cm}, {cmnt: false}]
comment_missing:
  module.run:
    - file.comment: [{path: @R@/comment_missing.missing}, {regex: ^two}]
block:
  module.run:
    - file.blockreplace: [{path: @R@/block}, {marker_start: '# s'}, {marker_end: '# e'}, {content: hello}, {append_if_not_found: true}]
block_none:
  module.run:
    - file.blockreplace: [{path: @R@/block_none}, {marker_start: '# s'}, {marker_end: '# e'}, {content: hello}]
block_dry:
  module.run:
    - file.blockreplace: [{path: @R@/block_dry}, {marker_start: '# s'}, {marker_end: '# e'}, {content: hello}, {append_if_not_found: true}, {dry_run: true}]
prepend:
  module.run:
    - file.prepend: [@R@/prepend, l1, l2]
prepend_args:
  module.run:
    - file.prepend: [{path: @R@/prepend_args}, {args: [x, y]}]
set_mode_bad:
  module.run:
    - file.set_mode: [@R@/set_mode_bad, abc]
sed:
  module.run:
    - file.sed: [@R@/sed, one, uno]
sed_more:
  module.run:
    - file.sed: [{path: @R@/sed_more}, {before: o}, {after: 0}, {limit: ^t}, {flags: ''}]
sed_missing:
  module.run:
    - file.sed: [@R@/sed_missing.missing, one, uno]
patch:
  module.run:
    - file.patch: [@R@/patch, @R@/p.patch]
patch_dry:
  module.run:
    - file.patch: [{originalfile: @R@/patch_dry}, {patchfile: @R@/p.patch}, {dry_run: true}]
find_delete:
  module.run:
    - file.find: [{path: @R@/finds}, {iname: 'a*'}, {delete: f}]
find_args:
  module.run:
    - file.find: [{path: @R@/finds}, {type: f}]
