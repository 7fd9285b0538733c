"""Prints the user-data of a server as Nova's metadata service gives it: metadata.py ID PROJECT ADDRESS

It asks as Neutron's agent would that stands between a guest and the service.
"""

import hashlib
import hmac
import sys
import urllib.request

SECRET = b"metasecret"
URL = "http://127.0.0.1:28775/openstack/latest/user_data"

server, project, address = sys.argv[1:]
request = urllib.request.Request(URL, headers={
    "X-Instance-ID": server,
    "X-Tenant-ID": project,
    "X-Forwarded-For": address,
    "X-Instance-ID-Signature": hmac.new(SECRET, server.encode(), hashlib.sha256).hexdigest(),
})
with urllib.request.urlopen(request, timeout=30) as answer:
    sys.stdout.buffer.write(answer.read())
