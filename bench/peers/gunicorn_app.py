"""The same answer as the other servers', as a WSGI application."""

import os


def app(_environ, start_response):
    body = f"pid is {os.getpid()}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
