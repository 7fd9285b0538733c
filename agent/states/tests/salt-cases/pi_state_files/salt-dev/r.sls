k: dev
