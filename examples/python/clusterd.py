"""A worker of clusterd in one file, with nothing but Python's own library (3.9 or later).

    worker = clusterd.Worker()
    worker.listen("127.0.0.1:8080", serve)     # serve(connection) in a thread of its own
    worker.on("refresh", lambda data: cache.load(data))
    worker.run()

Under clusterd (`protocol = "node"`) the master has the port, and hands out connections or lets the
workers race for them, as app.conf says. Started by hand the program binds for itself. Either way
`serve` gets a connected, blocking socket, which is closed when it returns.

The channel to the master speaks Node's own protocol: a line of JSON for each message, and at most
one descriptor with it.
"""

import contextlib
import itertools
import json
import os
import select
import socket
import threading

BACKLOG = 511


class Worker:
    def __init__(self):
        number = os.environ.pop("NODE_CHANNEL_FD", None)
        os.environ.pop("NODE_UNIQUE_ID", None)  # a child of ours is no worker
        self.draining = False  # asked to leave: answer with "Connection: close"
        self.on_drain = lambda: None
        self._channel = socket.socket(fileno=int(number)) if number else None
        self._writing = threading.Lock()
        self._numbers = itertools.count()
        self._handlers = {}  # action: handler
        self._asked = {}  # number of a question about a server: what was asked
        self._servers = {}  # the master's key of a server: what it serves with
        self._listeners = []  # that this process accepts from
        self._fds = []  # that have come and whose line has not
        self._threads = set()  # those that serve or accept
        self._indexes = itertools.count()
        if self._channel:
            # Not for a child of ours: the master would believe that we live.
            os.set_inheritable(self._channel.fileno(), False)
            self._cluster(act="online")

    # ---- what a program calls

    def listen(self, address, serve):
        """Serves the connections to "HOST:PORT"; before run()."""
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        kind = 6 if ":" in host else 4
        if not self._channel:
            family = socket.AF_INET6 if kind == 6 else socket.AF_INET
            listener = socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
            self._accept_from(listener, serve)
            return listener.getsockname()
        asked = {"address": host or None, "port": int(port), "addressType": kind}
        rest = {"index": next(self._indexes), "data": None, "flags": 0, "backlog": BACKLOG}
        self._asked[self._cluster(act="queryServer", **asked, **rest)] = (asked, serve)
        return None

    def on(self, action, handler):
        """Calls handler(data) for messages of this name, in the thread that runs the worker."""
        self._handlers[action] = handler

    def send(self, action, data=None, to="app", pid=None):
        """To "app" (all workers, this one too), "agent", or the worker of that pid.

        From any thread. False if the master is gone. A worker alone is all workers."""
        message = {"action": action, "data": data}
        message.update({"receiverPid": str(pid)} if pid else {"to": to})
        if self._channel:
            return self._write(message)
        self._heed(message)
        return True

    def suicide(self):
        """Asks to be replaced: what has begun is finished, and run() returns. From any thread."""
        if self._channel:
            self._write({"act": "suicide"})

    def run(self):
        """Returns when the worker was asked to leave, and all that it served has ended."""
        if self._channel:
            self._read()
        else:
            with contextlib.suppress(KeyboardInterrupt):
                threading.Event().wait()
        self._drain()  # also when the master is gone: there will be nothing new
        while threads := list(self._threads):
            threads[0].join()
        if self._channel:
            self._channel.close()

    # ---- the channel

    def _write(self, message):
        line = json.dumps(message).encode() + b"\n"
        with self._writing:
            try:
                self._channel.sendall(line)
            except OSError:
                return False
        return True

    def _cluster(self, **fields):
        number = next(self._numbers)
        self._write({"cmd": "NODE_CLUSTER", "seq": number, **fields})
        return number

    def _read(self):
        rest = b""
        # Until the last connection has ended: the master asks all the time whether we are alive.
        while not self.draining or self._threads:
            if self.draining and not select.select([self._channel], [], [], 0.02)[0]:
                continue
            try:
                data, fds, _, _ = socket.recv_fds(
                    self._channel, 65536, 8, socket.MSG_CMSG_CLOEXEC
                )
            except OSError:
                return
            if not data:
                return  # the master is gone
            self._fds += fds
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._heed(json.loads(line))

    def _heed(self, message):
        if not isinstance(message, dict):
            return
        if message.get("cmd") == "NODE_HANDLE":
            # The answer comes before all else: the master sends no other descriptor till then.
            # A line without one asks whether we are alive, and this is the answer to it as well.
            arrived = bool(self._fds)
            self._write({"cmd": "NODE_HANDLE_ACK" if arrived else "NODE_HANDLE_NACK"})
            if arrived:
                self._heed_cluster(message["msg"], socket.socket(fileno=self._fds.pop(0)))
        elif message.get("cmd") == "NODE_CLUSTER":
            self._heed_cluster(message, None)
        elif message.get("action") in self._handlers:
            self._handlers[message["action"]](message.get("data"))

    def _heed_cluster(self, message, handle):
        if message.get("act") == "disconnect":
            self._drain()
        elif message.get("act") == "newconn":
            serve = None if self.draining else self._servers.get(message["key"])
            self._cluster(ack=message["seq"], accepted=serve is not None)
            if serve:
                self._start(self._serve, serve, handle)
            else:
                handle.close()
        elif message.get("ack") in self._asked:
            asked, serve = self._asked.pop(message["ack"])
            if message.get("errno"):
                raise OSError(-message["errno"], os.strerror(-message["errno"]), str(asked))
            self._servers[message["key"]] = serve
            if handle:  # accept race: the socket itself, which may be no more than bound
                if not handle.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    handle.listen(BACKLOG)
                self._accept_from(handle, serve)
            port = (message.get("sockname") or {}).get("port", asked["port"])
            self._cluster(act="listening", **{**asked, "port": port})

    def _drain(self):
        if self.draining:
            return
        self.draining = True
        # Connections that have come are served, those that come now are refused.
        for key in self._servers:
            self._cluster(act="close", key=key)
        self.on_drain()

    # ---- connections

    def _start(self, work, *arguments):
        def whole():
            try:
                work(*arguments)
            finally:
                self._threads.discard(thread)

        thread = threading.Thread(target=whole)
        self._threads.add(thread)
        thread.start()

    def _serve(self, serve, connection):
        with connection:
            connection.setblocking(True)
            serve(connection)

    def _accept_from(self, listener, serve):
        # Other workers accept from it as well, so what woke this one may be gone; and once in a
        # while it has to see that it should end.
        listener.settimeout(0.2)
        self._start(self._accept, listener, serve)

    def _accept(self, listener, serve):
        with listener:
            while not self.draining:
                try:
                    connection, _ = listener.accept()
                except (TimeoutError, BlockingIOError, InterruptedError):
                    continue
                except OSError:
                    threading.Event().wait(0.1)  # out of descriptors, or the peer has left
                    continue
                self._start(self._serve, serve, connection)
