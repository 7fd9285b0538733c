m: "{{ sls }},{{ tpldir }},{{ tplfile }},{{ saltenv }},{{ q | default(0) }}"
