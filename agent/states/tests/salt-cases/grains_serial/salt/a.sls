kept:
  grains.present: [{name: dnsserial_z, value: '2999010105'}]
odd:
  grains.present: [{name: dnsserial_odd, value: zone}]
z:
  module.run:
    - dnsutil.serial: [{zone: z}, {update: true}]
by_name:
  module.wait:
    - name: dnsutil.serial
    - zone: z
    - update: True
    - watch: [{grains: kept}]
asked:
  module.run:
    - dnsutil.serial: [{zone: z}]
wrong:
  module.run:
    - dnsutil.serial: [{zone: odd}, {update: true}]
/mnt/zone:
  file.managed:
    - contents: |
        serial {% raw %}{{ salt['dnsutil.serial']('z') }} {{ salt['dnsutil.serial'](zone='odd') }}{% endraw %}
    - template: jinja
