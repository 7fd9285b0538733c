r: {{ who | default('nobody') }}
