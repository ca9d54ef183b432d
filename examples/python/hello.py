"""An HTTP server in Python, as a worker of clusterd or alone: python3 hello.py [ADDRESS]"""

import contextlib
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
        if self.path == "/minutes":
            body = f"{len(minutes)}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


def serve(connection):
    with contextlib.suppress(OSError):  # the client has gone, perhaps before it was looked at
        Hello(connection, connection.getpeername(), None)


def on_minute(data):
    if data == "broken":
        raise ValueError("no such minute")
    minutes.append(data)


greetings = []
minutes = []
worker = clusterd.Worker()
worker.on("greeting", greetings.append)
worker.on_schedule("minute", on_minute)
name = worker.listen(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:8080", serve)
if name:
    print("listening on", "%s:%d" % name[:2] if isinstance(name, tuple) else name, flush=True)
worker.run()
