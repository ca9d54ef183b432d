"""with_id.py PROGRAM ARGUMENTS: what with_id.js does for Node, for a program with http.server."""

import os
import runpy
import sys
from http.server import BaseHTTPRequestHandler as Handler

parse_request, send_header, end_headers = (
    Handler.parse_request,
    Handler.send_header,
    Handler.end_headers,
)


def parse_with_id(self):
    parsed = parse_request(self)
    self.id_line = b""
    if parsed and self.path[1:].isdigit():
        self.id_line = f"id is {self.path[1:]}\n".encode()
        self.path = "/"
    return parsed


def header_with_id(self, name, value):
    more = len(self.id_line) if name == "Content-Length" else 0
    send_header(self, name, str(int(value) + more) if more else value)


def end_with_id(self):
    end_headers(self)
    self.wfile.write(self.id_line)


Handler.parse_request = parse_with_id
Handler.send_header = header_with_id
Handler.end_headers = end_with_id
del sys.argv[0]
sys.path[0] = os.path.dirname(sys.argv[0])
runpy.run_path(sys.argv[0], run_name="__main__")
