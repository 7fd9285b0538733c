of_base:
  str: {{ salt['cp.get_file_str']('salt://x') | json }}
  str_dev: {{ salt['cp.get_file_str']('salt://x', saltenv='dev') | json }}
  str_address: {{ salt['cp.get_file_str']('salt://x?saltenv=dev') | json }}
  str_of_pillar: {{ salt['cp.get_file_str']('salt://in_pillar') | json }}
  str_no_env: {{ salt['cp.get_file_str']('salt://x', saltenv='nope') | json }}
  defaults: {{ salt['defaults.get']('fo:d') | json }}
  exists: {{ salt['slsutil.file_exists']('x') | json }}
  exists_in_pillar: {{ salt['slsutil.file_exists']('in_pillar') | json }}
  exists_dir: {{ salt['slsutil.dir_exists']('only') | json }}
  exists_in_dev: {{ salt['slsutil.path_exists']('only/o', saltenv='dev') | json }}
  up: {{ salt['slsutil.findup']('only', ['x']) | json }}
  render: {{ salt['slsutil.renderer']('salt://r.sls') | json }}
  render_dev: {{ salt['slsutil.renderer']('salt://r.sls', saltenv='dev') | json }}
  list: {{ salt['cp.list_master']() | json }}
  list_dev: {{ salt['cp.list_master'](saltenv='dev') | json }}
  states: {{ salt['cp.list_states']() | json }}
  states_dev: {{ salt['cp.list_states'](saltenv='dev') | json }}
  dirs_dev: {{ salt['cp.list_master_dirs'](saltenv='dev') | json }}
  hash: {{ salt['cp.hash_file']('salt://x') | json }}
  hash_dev: {{ salt['cp.hash_file']('salt://x', saltenv='dev') | json }}
  hash_address: {{ salt['cp.hash_file']('salt://x?saltenv=dev') | json }}
  mode_dev: {{ salt['cp.stat_file']('salt://x', saltenv='dev') | json }}
  envs: {{ salt['cp.envs']() | sort | json }}
