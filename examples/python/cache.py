"""A worker that answers from memory what is in a file: python3 cache.py FILE [HOST:PORT]

All workers read the file every ten minutes (the schedule "force-refresh"), one of them looks every
ten seconds whether it has changed ("pull-refresh") and tells the others, and the agent,
cache_agent.py, tells all of them when it changes.
"""

import os
import sys
import threading

import clusterd


class Cache:
    """Read by the threads that serve, and refreshed by that which runs the worker or a schedule."""

    def __init__(self, file):
        self._file = file
        self._lock = threading.Lock()
        self._read_at = None
        self._text = ""
        self._by = ""
        self._times = 0

    def _changed_at(self):
        try:
            return os.stat(self._file).st_mtime_ns
        except OSError:
            return None

    def is_stale(self):
        with self._lock:
            return self._changed_at() != self._read_at

    def refresh(self, by):
        with self._lock:
            self._read_at = self._changed_at()
            try:
                with open(self._file, encoding="utf-8") as file:
                    self._text = file.read()
            except OSError:
                self._text = ""
            self._by = by
            self._times += 1

    def answer(self):
        with self._lock:
            who = f"my pid is {os.getpid()}, refreshed {self._times} times, last by {self._by}\n"
            return (who + self._text).encode()


def serve(connection):
    if not connection.recv(4096):
        return
    body = cache.answer()
    head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)


def pull(_):
    if cache.is_stale():
        worker.send("refresh", "pull")


cache = Cache(sys.argv[1] if len(sys.argv) > 1 else "source.txt")
cache.refresh("start")
worker = clusterd.Worker()
worker.on("refresh", cache.refresh)
worker.on_schedule("force-refresh", lambda _: cache.refresh("force"))
worker.on_schedule("pull-refresh", pull)
name = worker.listen(sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1:8080", serve)
if name:
    print("listening on %s:%d" % name[:2], flush=True)
worker.run()
