"""A worker of clusterd in one file, with nothing but Python's own library (3.9 or later).

    worker = clusterd.Worker()
    worker.listen("127.0.0.1:8080", serve)     # serve(connection) in a thread of its own
    worker.on("refresh", lambda data: cache.load(data))
    worker.on("count", lambda data, message: worker.reply(message, len(cache)))
    worker.on_schedule("tidy", cache.tidy)     # a [[schedule]] of app.conf
    worker.run()

Under clusterd (`protocol = "node"`) the master has the port, and hands out connections or lets the
workers race for them, as app.conf says. Started by hand the program binds for itself. Either way
`serve` gets a connected, blocking socket, which is closed when it returns.

The channel to the master speaks Node's own protocol: a line of JSON for each message, and at most
one descriptor with it.
"""

import collections
import contextlib
import heapq
import inspect
import itertools
import json
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback

BACKLOG = 511
LONGEST_MESSAGE = 65536  # bytes, with its envelope and the end of its line
LONGEST_REASON = 1024  # characters
LONGEST_WAIT = 3600.0  # seconds, which select() takes

# How a request ended: `error` is None, "timeout", "undelivered" (nobody got it) or "gone" (who got
# it has ended).
Answer = collections.namedtuple("Answer", "data sender error")


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
        self._handlers = {}  # action: handler, once
        self._schedules = {}  # name: handler
        # Called with the receiver's pid when a quarter of what may wait for it does, and with
        # False when little does again; and for messages of ours that could not be delivered.
        self.on_pressure = lambda pid, high: None
        self.on_undelivered = lambda action, count: None
        # "cluster-ready" and "log-reload"; in workers "agent-exit" and "agent-start" as well.
        self.on_event = lambda event: None
        # Numbers of their own, should a process get the pid of one that has ended.
        self._requests = itertools.count(time.time_ns() // 1000)
        self._asking = threading.Lock()  # of the next two, since any thread may ask
        self._waiting = {}  # number of a request: handler
        self._ends = []  # a heap of: when it is too late for a request, its number
        self._own = collections.deque()  # without a master: lines from this process to itself
        self._wake, self._woken = os.pipe()
        for end in (self._wake, self._woken):
            os.set_blocking(end, False)
        self._asked = {}  # number of a question about a server: what was asked
        self._servers = {}  # the master's key of a server: what it serves with
        self._fds = []  # that have come and whose line has not
        self._threads = set()  # those that serve or accept
        self._paths = []  # files of sockets that this process made
        self._heard = 0  # messages that are handled and of which the master does not know yet
        self._failed = False
        self._ended = threading.Event()  # without a master: what run() waits for
        self._indexes = itertools.count()
        if self._channel:
            # Not for a child of ours: the master would believe that we live.
            os.set_inheritable(self._channel.fileno(), False)
            self._cluster(act="online")
            self._write({"cmd": "CLUSTERD", "act": "notices", "tells_heard": True})

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
        """Calls handler(data), or handler(data, message) if it takes two, for messages of this name,
        in the thread that runs the worker. "" is for those that have no handler; None takes it off.

        One that raises ends this worker as suicide() does, and with exit code 1."""
        self._set_handler(action, handler, False)

    def once(self, action, handler):
        """The same for the next one only."""
        self._set_handler(action, handler, True)

    def send(self, action, data=None, to="app", pid=None, slot=None):
        """To "all", "app" (all workers, this one too), "agent" or "random" (a worker that is ready),
        or to the process of that pid, or the worker in that slot.

        From any thread. False if the master is gone. A worker alone is all workers, and slot 0.
        Raises what json.dumps() does, also for NaN and Infinity, which no JSON has, and
        ValueError for more than LONGEST_MESSAGE bytes."""
        return self._post(self._envelope(action, data, to, pid, slot))

    def broadcast(self, action, data=None):
        return self.send(action, data, to="all")

    def send_to_app(self, action, data=None):
        return self.send(action, data, to="app")

    def send_to_agent(self, action, data=None):
        return self.send(action, data, to="agent")

    def send_random(self, action, data=None):
        return self.send(action, data, to="random")

    def send_to(self, pid, action, data=None):
        return self.send(action, data, pid=pid)

    def send_to_slot(self, slot, action, data=None):
        return self.send(action, data, slot=slot)

    def request(self, action, data, handler, timeout=5.0, to="random", pid=None, slot=None):
        """As send(), and handler(answer) is called once, with an Answer, by the thread that runs
        the worker; never where send() would be False."""
        envelope = self._envelope(action, data, to, pid, slot)
        if envelope.get("to") in ("all", "app"):
            raise ValueError("only one can answer")
        number = envelope["request"] = next(self._requests)
        line = _message_line(envelope)
        with self._asking:
            self._waiting[number] = handler
            heapq.heappush(self._ends, (time.monotonic() + max(0.0, timeout), number))
        if not self._give(envelope, line):
            self._take(number)
            return False
        self._wake_up()
        return True

    def reply(self, message, data=None):
        """Answers a message that is a request, now or later; any other is left alone."""
        if not message.get("request"):
            return True
        envelope = self._envelope("reply", data, None, message.get("senderPid"), None)
        return self._post({**envelope, "reply": message["request"]})

    def on_schedule(self, name, handler):
        """Calls handler(data) for each run of this [[schedule]] that is this worker's to do.

        In a thread of its own. The run is over when it returns, and has failed if it throws."""
        self._schedules[name] = handler
        if self._channel:
            self._write({"cmd": "CLUSTERD", "act": "handles", "schedule": name})

    def suicide(self):
        """Asks to be replaced: what has begun is finished, and run() returns. From any thread."""
        self._ended.set()
        self._wake_up()
        if self._channel:
            self._write({"act": "suicide"})

    def run(self):
        """Returns when the worker was asked to leave, and all that it served has ended."""
        try:
            self._read()
        except KeyboardInterrupt:
            if self._channel:
                raise
        self._drain()  # also when the master is gone: there will be nothing new
        with self._asking:
            left = list(self._waiting)
        for number in left:
            self._end(number, error="gone")
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

    # ---- messages

    def _set_handler(self, action, handler, once):
        if handler is None:
            self._handlers.pop(action, None)
        elif _takes_two(handler):
            self._handlers[action] = (handler, once)
        else:
            self._handlers[action] = (lambda data, message: handler(data), once)

    def _envelope(self, action, data, to, pid, slot):
        message = {"action": action, "senderPid": os.getpid(), "data": data}
        if pid is not None:
            message["receiverPid"] = pid
        elif slot is not None:
            message["receiverSlot"] = slot
        elif to is not None:
            message["to"] = to
        return message

    def _post(self, message):
        return self._give(message, _message_line(message))

    def _give(self, message, line):
        if self._channel:
            return self._write_line(line)
        # To oneself, the way that others' come: as it is now, in the thread that runs the worker.
        mine = message.get("receiverPid", os.getpid()) == os.getpid()
        if not mine or message.get("receiverSlot") or message.get("to") == "agent":
            requests = [message.get("request")]
            lost = {"act": "undelivered", "action": message["action"], "requests": requests}
            line = _line({"cmd": "CLUSTERD", "count": 1, **lost})
        self._own.append(line)
        self._wake_up()
        return True

    def _wake_up(self):
        with contextlib.suppress(BlockingIOError):  # so full that it is awake
            os.write(self._woken, b".")

    def _heed_message(self, message):
        number = message.get("reply")
        if number and isinstance(number, int):  # the master has seen to it that it may say so
            return self._end(number, message.get("data"), message.get("senderPid"))
        action = message.get("action")
        handler, once = self._handlers.get(action) or self._handlers.get("") or (None, False)
        if handler is None:
            return None
        if once:
            self._handlers.pop(action if action in self._handlers else "", None)
        return handler(message.get("data"), message)

    def _heed_notice(self, notice):
        act = notice.get("act")
        if act == "undelivered":
            self._undelivered(notice.get("action"), notice["count"], notice.get("requests", ()))
        elif act == "gone":
            for number in notice.get("requests", ()):
                self._end(number, error="gone")
        elif act == "pressure":
            self.on_pressure(notice["pid"], notice["high"])
        elif act == "event":
            self.on_event(notice["event"])

    def _undelivered(self, action, count, requests):
        for number in filter(None, requests):
            count -= 1
            self._end(number, error="undelivered")
        if count > 0:
            self.on_undelivered(action, count)

    def _take(self, number):
        with self._asking:
            return self._waiting.pop(number, None)

    def _end(self, number, data=None, sender=None, error=None):
        handler = self._take(number)
        if handler:
            self._guard(handler, Answer(data, sender, error))

    def _end_late(self):
        """Those whose time is over; gives for how long there is none."""
        now = time.monotonic()  # what handlers ask meanwhile has its turn later
        while True:
            with self._asking:
                while self._ends and self._ends[0][1] not in self._waiting:
                    heapq.heappop(self._ends)
                if not self._ends:
                    return None
                end, number = self._ends[0]
            if end > now:
                return min(max(0.0, end - time.monotonic()), LONGEST_WAIT)
            self._end(number, error="timeout")

    # ---- the channel

    def _write(self, message):
        return self._write_line(_line(message))

    def _write_line(self, line):
        """Waits until there is room, one thread after the other, and so does the thread that reads:
        that comes to an end, since the master always reads, whatever waits for this process."""
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
        from_whom = [self._wake, *filter(None, [self._channel])]
        # Until the last connection has ended: the master asks all the time whether we are alive.
        while not self.draining or self._threads:
            patience = self._end_late()
            if self.draining:
                patience = min(0.02, LONGEST_WAIT if patience is None else patience)
            ready, _, _ = select.select(from_whom, [], [], patience)
            if self._wake in ready:
                os.read(self._wake, 65536)
            for _ in range(len(self._own)):  # what these send in turn wakes it again
                self._heed_line(self._own.popleft())
            if not self._channel and self._ended.is_set():
                self._drain()
            if not self._channel or self._channel not in ready:
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
                self._heed_line(line)
            self._tell_heard()

    def _tell_heard(self):
        """What this process has not said it heard when it ends, the master tells its senders."""
        if self._channel and self._heard:
            self._write({"cmd": "CLUSTERD", "act": "heard", "count": self._heard})
        self._heard = 0

    def _heed_line(self, line):
        try:
            message = json.loads(line)
        except ValueError:  # an integer of more digits than Python reads
            message = json.loads(line, parse_int=float)
        self._guard(self._heed, message)

    def _heed(self, message):
        if not isinstance(message, dict):
            return
        if message.get("cmd") == "NODE_HANDLE":
            # The answer comes before all else: the master sends no other descriptor till then.
            # A line without one asks whether we are alive, and this is the answer to it as well.
            arrived = bool(self._fds)
            self._write({"cmd": "NODE_HANDLE_ACK" if arrived else "NODE_HANDLE_NACK"})
            if arrived:
                self._heed_handle(message.get("msg"), socket.socket(fileno=self._fds.pop(0)))
        elif message.get("cmd") == "NODE_CLUSTER":
            self._heed_cluster(message, None)
        elif message.get("cmd") == "CLUSTERD" and message.get("act") == "run":
            self._start(self._run, message)
        elif message.get("cmd") == "CLUSTERD":
            self._heed_notice(message)
        elif isinstance(message.get("action"), str):
            try:
                self._heed_message(message)
            finally:  # one whose handler failed was heard too
                self._heard += 1

    def _heed_handle(self, message, handle):
        if isinstance(message, dict) and message.get("cmd") == "NODE_CLUSTER":
            self._heed_cluster(message, handle)
        else:  # of another program, which sends us a socket of its own; these are not counted
            handle.close()
            if isinstance(message, dict) and isinstance(message.get("action"), str):
                self._heed_message(message)

    def _run(self, message):
        ran = {"cmd": "CLUSTERD", "act": "ran", "run": message["run"]}
        try:
            self._schedules[message["schedule"]](message["data"])
        except Exception as error:
            ran["error"] = _reason(error)
        self._write(ran)

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


class Agent(Worker):
    """An agent program of clusterd ([agent] command, `protocol = "node-fork"`).

        agent = clusterd.Agent()
        agent.on("get-config", ...)
        agent.ready()                          # now the workers are started
        agent.run()

    It has a worker's messages and none of its connections. What a handler raises is printed and
    told to the master, and the agent lives on. SIGTERM, by which the master asks it to leave, ends
    run() like sys.exit().
    """

    def __init__(self):
        super().__init__()
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    def ready(self):
        if self._channel:
            self._write({"cmd": "CLUSTERD", "act": "ready"})

    def _guard(self, call, *arguments):
        try:
            call(*arguments)
        except Exception as error:
            traceback.print_exc()
            if self._channel:
                self._write({"cmd": "CLUSTERD", "act": "failed", "what": _reason(error)})


def _line(message):
    return json.dumps(message, allow_nan=False).encode() + b"\n"


def _message_line(message):
    line = _line(message)
    if len(line) > LONGEST_MESSAGE:
        name = str(message["action"])[:LONGEST_REASON]
        raise ValueError(f'"{name}" has {len(line)} bytes; {LONGEST_MESSAGE} are allowed')
    return line


def _reason(error):
    return (str(error) or type(error).__name__)[:LONGEST_REASON]


def _takes_two(handler):
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # of some built-in functions nothing is known
        return False
    return True
