"""A small client that asks which worker answers; for times, not for rates."""

import contextlib
import re
import select
import socket
import time

_REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
_PID = re.compile(rb"pid is (\d+)|X-Pid: (\d+)", re.IGNORECASE)


def _ask(address):
    client = socket.socket()
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        client.connect(address)
    return client


def answers(address, count, timeout=1.0):
    """Asks on that many connections at once; yields each pid as it answers."""
    host, _, port = address.rpartition(":")
    poll = select.poll()
    open_ones = {}
    for _ in range(count):
        client = _ask((host, int(port)))
        open_ones[client.fileno()] = [client, b""]
        poll.register(client, select.POLLOUT)
    deadline = time.monotonic() + timeout
    try:
        while open_ones and time.monotonic() < deadline:
            for fd, _ in poll.poll(50):
                client, _ = entry = open_ones[fd]
                try:
                    if not entry[1]:
                        client.send(_REQUEST)
                        poll.modify(client, select.POLLIN)
                        entry[1] = b" "
                        continue
                    got = client.recv(4096)
                except OSError:
                    got = b""
                entry[1] += got
                found = _PID.search(entry[1])
                if found or not got:
                    poll.unregister(client)
                    client.close()
                    del open_ones[fd]
                if found:
                    yield int(found[1] or found[2])
    finally:
        for client, _ in open_ones.values():
            client.close()


def await_stranger(address, known, burst, deadline):
    """The time at which somebody who is not known answered, or None after the deadline."""
    while time.monotonic() < deadline:
        for pid in answers(address, burst):
            if pid not in known:
                return time.monotonic()
    return None
