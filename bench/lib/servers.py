"""A server under test: started as a daemon is, looked at, and always ended."""

import atexit
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import processes

START_TIMEOUT = 60
STOP_TIMEOUT = 8


class ServerError(Exception):
    """A server did not start, or did not do as it was asked."""


class Output:
    """What a server writes, line by line, each with the time it came."""

    def __init__(self, pipe):
        self._lines = []
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe):
        with pipe:
            for line in pipe:
                now = time.monotonic()
                with self._news:
                    self._lines.append((now, line.decode(errors="replace").rstrip("\n")))
                    self._news.notify_all()

    def wait(self, pattern, count=1, deadline=None):
        """The match of the count-th line with the pattern, and when it came."""
        deadline = deadline or time.monotonic() + START_TIMEOUT
        with self._news:
            while True:
                found = [
                    (match, at) for at, line in self._lines if (match := re.search(pattern, line))
                ]
                if len(found) >= count:
                    return found[count - 1]
                left = deadline - time.monotonic()
                if left <= 0 or not self._thread.is_alive():
                    raise ServerError(f'no line "{pattern}" in:\n{self._text()}')
                self._news.wait(min(left, 0.5))

    def _text(self):
        return "\n".join(line for _, line in self._lines[-20:])


class Server:
    """A kind of server says how it is started (command), and when it is ready (await_ready)."""

    label = ""  # what the tables call it
    peer = ""  # what --without calls it
    modes = ("short", "keepalive", "held")
    stop_signal = signal.SIGTERM
    ready_word = None  # what a line says of each worker that is ready, if there is such a line

    def __init__(self, workers):
        self.workers = workers
        self.address = None  # "IP:PORT" once it is ready
        self.process = None
        self.output = None
        self.folder = None
        self.started_at = None

    # For each kind to say.

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def await_ready(self):
        """Returns the time at which all workers were ready, and has set the address."""
        raise NotImplementedError

    def worker_pids(self):
        return processes.children(self.pid)

    # The same for all.

    @property
    def pid(self):
        """The master's."""
        return self.process.pid

    def start(self):
        """Starts it in a session of its own; returns the seconds until all workers were ready.

        The session is what a daemon has. It decides how the kernel shares the CPUs between the
        server and its clients, and so the figures.
        """
        self.folder = tempfile.mkdtemp(prefix="clusterd-bench-")
        _running.append(self)
        command = self.command()
        self.started_at = time.monotonic()
        self.process = subprocess.Popen(
            command,
            env={**os.environ, **self.environment()},
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.output = Output(self.process.stdout)
        ready_at = self.await_ready()
        return ready_at - self.started_at

    def await_asleep(self):
        """For a server that does not say when it is ready: all its workers wait for clients."""
        deadline = time.monotonic() + START_TIMEOUT
        while time.monotonic() < deadline:
            workers = self.worker_pids()
            if len(workers) >= self.workers and all(processes.state(p) == "S" for p in workers):
                return time.monotonic()
            if self.process.poll() is not None:
                break
            time.sleep(0.0005)
        raise ServerError(f"{self.label}: not ready in {START_TIMEOUT} s")

    def stop(self):
        """Ends every process of it, by number, and only if the number is still its own."""
        if self.process is not None:
            everyone = {*processes.tree(self.pid), *processes.session(self.pid)}
            ours = {(pid, processes.born(pid)) for pid in everyone}
            if self.process.poll() is None:
                self.process.send_signal(self.stop_signal)
            deadline = time.monotonic() + STOP_TIMEOUT
            while time.monotonic() < deadline and self._alive(ours):
                self.process.poll()
                time.sleep(0.005)
            for pid, _ in self._alive(ours):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
        if self in _running:
            _running.remove(self)
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _alive(named):
        return [(pid, at) for pid, at in named if at is not None and processes.born(pid) == at]


_running = []


@atexit.register
def _stop_all():
    for server in list(_running):
        server.stop()


@contextlib.contextmanager
def running(servers):
    """The servers, started; all are stopped in the end, however it comes."""
    try:
        for server in servers:
            server.start()
        yield servers
    finally:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C leaves nobody
        for server in servers:
            if server in _running:
                server.stop()
        signal.signal(signal.SIGINT, before)
