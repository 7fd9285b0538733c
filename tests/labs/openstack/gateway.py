"""What stands before a real cloud's API, failing as told: gateway.py UPSTREAM METHOD CODE COUNT WHEN

Listens on a port of the kernel's choice and prints it. The first COUNT requests of the METHOD are
answered with CODE (429 and 503 with Retry-After: 2); all else is passed on to 127.0.0.1:UPSTREAM.
WHEN is `before` (such a request never arrives), `after` (it arrives, and its answer is lost), or
`silent` (it arrives, and is never answered).
"""

import http.client
import http.server
import sys
import threading

UPSTREAM, METHOD, CODE, COUNT, WHEN = sys.argv[1:]
CODE = int(CODE)
HOP_BY_HOP = {"transfer-encoding", "content-length", "connection"}
PATIENCE_SECS = 120

lock = threading.Lock()
left = int(COUNT)


def strikes(command):
    global left
    with lock:
        if command != METHOD or left == 0:
            return False
        left -= 1
        return True


class Gateway(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        strike = strikes(self.command)
        if not strike or WHEN != "before":
            status, headers, answer = self.ask(body)
        if strike and WHEN == "silent":
            threading.Event().wait(PATIENCE_SECS)
        if strike:
            status, headers = CODE, [("Content-Type", "text/html")]
            if CODE in (429, 503):
                headers.append(("Retry-After", "2"))
            answer = f"<html><body><h1>{CODE}</h1>gateway</body></html>".encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = pass_on

    def ask(self, body):
        connection = http.client.HTTPConnection("127.0.0.1", int(UPSTREAM), timeout=PATIENCE_SECS)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        headers = [(k, v) for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP]
        return answer.status, headers, answer.read()

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
server.daemon_threads = True
print(server.server_port, flush=True)
server.serve_forever()
