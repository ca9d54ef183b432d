"""An HTTP server in Python, as a worker of clusterd or alone: python3 hello.py [HOST:PORT]"""

import os
import sys
from http.server import BaseHTTPRequestHandler

import clusterd


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/tell":
            worker.send("greeting", {"from": os.getpid()})
        body = f"hello, my pid is {os.getpid()}; greetings: {len(greetings)}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


greetings = []
worker = clusterd.Worker()
worker.on("greeting", greetings.append)
name = worker.listen(
    sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8080",
    lambda connection: Hello(connection, connection.getpeername(), None),
)
if name:
    print("listening on %s:%d" % name[:2], flush=True)
worker.run()
