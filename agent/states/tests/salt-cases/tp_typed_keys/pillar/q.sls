ports: {8080: alt, 80: web}
