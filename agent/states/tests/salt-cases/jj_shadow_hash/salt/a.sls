{% set hash = salt['random.shadow_hash'] %}
{% for made in [hash('abc', 'secret'), hash('abcd', 'secret', 'sha256'), hash(password='x', crypt_salt='s')] %}
{{ made }}: test.nop
{% endfor %}
of {{ hash() | length }} signs: test.nop
