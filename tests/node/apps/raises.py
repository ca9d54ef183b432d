"""raises.py FOLDER_OF_CLUSTERD_PY ADDRESS: /raise goes wrong in a handler while it is answered."""

import os
import sys
import time

sys.path.insert(0, sys.argv[1])
import clusterd


def serve(connection):
    question = connection.recv(65536)
    if b"/raise" in question:
        worker.send("divide", 0, pid=os.getpid())
        time.sleep(0.5)
    body = f"handled by worker, pid is {os.getpid()}\n"
    head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall((head + body).encode())


worker = clusterd.Worker()
left = [name for name in os.environ if name.startswith(("NODE_C", "NODE_U", "CLUSTERD_CHANNEL"))]
assert not left, left
worker.on("divide", lambda data: 1 / data)
worker.listen(sys.argv[2], serve)
worker.run()
