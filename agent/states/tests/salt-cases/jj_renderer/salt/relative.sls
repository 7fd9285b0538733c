x: {{ salt['slsutil.renderer']('sub/m.sls') }}
