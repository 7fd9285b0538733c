all_of_it:
  pkg.uptodate:
    - refresh: True
