role: web
l: [one, two]
