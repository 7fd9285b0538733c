# The command of list_options is for what cannot be read without it.
listed without:
  archive.extracted: [{name: @R@/a}, {source: @R@/t.tgz}, {list_options: "false"}]
no zip:
  archive.extracted: [{name: @R@/b}, {source: @R@/t.tgz}, {archive_format: zip}]
no zip, with an owner:
  archive.extracted: [{name: @R@/c}, {source: @R@/junk.zip}, {user: daemon}]
