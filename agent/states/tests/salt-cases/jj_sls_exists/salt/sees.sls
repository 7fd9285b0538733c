{% if not salt["state.sls_exists"]("b") or not pillar is mapping %}{{ fail.here }}{% endif %}
