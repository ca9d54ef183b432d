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
import sys
import threading
import time
import traceback

BACKLOG = 511


def _resolve(address):
    """Family, what the socket module binds, and address, port and type as Node would ask."""
    if address.startswith("unix:"):
        path = address[len("unix:") :]
        if path.startswith("@"):  # a name without a file
            name = "\0" + path[1:]
            return socket.AF_UNIX, name, (os.getcwd() + "/" + name, -1, -1)
        path = os.path.abspath(path)
        return socket.AF_UNIX, path, (path, -1, -1)
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host:
        return socket.AF_INET, ("", int(port)), (None, int(port), 4)
    found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    # IPv4 where there is both: what app.conf has beside "localhost" is mostly 127.0.0.1.
    family, _, _, _, name = min(found, key=lambda one: one[0] != socket.AF_INET)
    return family, name, (name[0], int(port), 6 if family == socket.AF_INET6 else 4)


class Worker:
    def __init__(self):
        number = os.environ.pop("NODE_CHANNEL_FD", None)
        for name in ("NODE_UNIQUE_ID", "NODE_CHANNEL_SERIALIZATION_MODE", "CLUSTERD_CHANNEL_FD"):
            os.environ.pop(name, None)  # a child of ours is no worker
        self.draining = False  # asked to leave: answer with "Connection: close"
        self.on_drain = lambda: None
        self._channel = socket.socket(fileno=int(number)) if number else None
        self._writing = threading.Lock()
        self._numbers = itertools.count()
        self._handlers = {}  # action: handler
        self._asked = {}  # number of a question about a server: what was asked
        self._servers = {}  # the master's key of a server: what it serves with
        self._fds = []  # that have come and whose line has not
        self._threads = set()  # those that serve or accept
        self._paths = []  # files of sockets that this process made
        self._failed = False
        self._ended = threading.Event()  # without a master: what run() waits for
        self._indexes = itertools.count()
        if self._channel:
            # Not for a child of ours: the master would believe that we live.
            os.set_inheritable(self._channel.fileno(), False)
            self._cluster(act="online")

    # ---- what a program calls

    def listen(self, address, serve):
        """Serves the connections to "HOST:PORT", "unix:PATH" or "unix:@NAME"; before run()."""
        family, name, wanted = _resolve(address)
        if not self._channel:
            if family == socket.AF_UNIX:
                listener = socket.socket(family)
                listener.bind(name)
                listener.listen(BACKLOG)
                if not name.startswith("\0"):
                    self._paths.append(name)
            else:
                listener = socket.create_server(name[:2], family=family, backlog=BACKLOG)
            self._accept_from(listener, serve)
            return listener.getsockname()
        asked = dict(zip(("address", "port", "addressType"), wanted))
        rest = {"index": next(self._indexes), "data": None, "flags": 0, "backlog": BACKLOG}
        self._asked[self._cluster(act="queryServer", **asked, **rest)] = (asked, serve)
        return None

    def on(self, action, handler):
        """Calls handler(data) for messages of this name, in the thread that runs the worker.

        One that raises ends this worker as suicide() does, and with exit code 1."""
        self._handlers[action] = handler

    def send(self, action, data=None, to="app", pid=None):
        """To "app" (all workers, this one too), "agent", or the worker of that pid.

        From any thread. False if the master is gone. A worker alone is all workers."""
        message = {"action": action, "data": data}
        message.update({"receiverPid": str(pid)} if pid else {"to": to})
        if self._channel:
            return self._write(message)
        self._guard(self._heed, message)
        return True

    def suicide(self):
        """Asks to be replaced: what has begun is finished, and run() returns. From any thread."""
        self._ended.set()
        if self._channel:
            self._write({"act": "suicide"})

    def run(self):
        """Returns when the worker was asked to leave, and all that it served has ended."""
        if self._channel:
            self._read()
        else:
            with contextlib.suppress(KeyboardInterrupt):
                self._ended.wait()
        self._drain()  # also when the master is gone: there will be nothing new
        while threads := list(self._threads):
            threads[0].join()
        if self._channel:
            self._channel.close()
        for path in self._paths:
            with contextlib.suppress(OSError):
                os.unlink(path)
        if self._failed:
            sys.exit(1)

    # ---- what goes wrong

    def _guard(self, call, *arguments):
        """What raises here ends this worker, but not those that it serves, and a new one comes."""
        try:
            call(*arguments)
        except Exception:
            traceback.print_exc()
            self._failed = True
            self.suicide()
            self._drain()

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
                self._guard(self._heed, json.loads(line))

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
        self._guard(self.on_drain)

    # ---- connections

    def _start(self, work, *arguments):
        def whole():
            try:
                work(*arguments)
            finally:
                self._threads.discard(thread)

        thread = threading.Thread(target=whole)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:  # too many
            self._threads.discard(thread)
            raise

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
                    self._start(self._serve, serve, connection)
                except (socket.timeout, BlockingIOError):
                    continue
                except (OSError, RuntimeError):
                    time.sleep(0.1)  # out of descriptors or threads, or the peer has left
