"""The program of the tests' WSGI servers."""

import os
import time


def app(_environ, start_response):
    time.sleep(0.002)  # a request takes a moment, so that one can be cut off
    body = b"hello from Python, pid %d\n" % os.getpid()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
