"""A small client that asks over and over until somebody new answers; for times, not for rates."""

import re
import select
import socket
import time

_REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
_PID = re.compile(rb"pid is (\d+)|X-Pid: (\d+)", re.IGNORECASE)

# Four at once reach each of four workers, if they get turns. Twice a millisecond leaves the CPUs
# to the server for more than half of the time.
BURST, INTERVAL = 4, 0.0005
MOST_OPEN = 64
PATIENCE = 0.2  # a question to a worker that was killed may never be answered


def first_answer(address, known, deadline, meanwhile=lambda: None):
    """The time at which a pid that is not known answered, or None if none did in time."""
    host, _, port = address.rpartition(":")
    asked = {}  # socket: when
    next_burst = 0.0
    try:
        while (now := time.monotonic()) < deadline:
            if now >= next_burst and len(asked) < MOST_OPEN:
                next_burst = now + INTERVAL
                for _ in range(BURST):
                    asked[_ask(host, int(port))] = now
            meanwhile()
            ready, _, _ = select.select(list(asked), [], [], INTERVAL)
            for client in ready:
                del asked[client]
                pid = _answer(client)
                if pid is not None and pid not in known:
                    return time.monotonic()
            for client in [each for each, since in asked.items() if now - since > PATIENCE]:
                del asked[client]
                client.close()
    finally:
        for client in asked:
            client.close()
    return None


def _ask(host, port):
    client = socket.create_connection((host, port))
    client.send(_REQUEST)
    return client


def _answer(client):
    """Who answered, or None if the connection broke."""
    with client:
        try:
            found = _PID.search(client.recv(4096))
        except OSError:
            return None
    return int(found[1] or found[2]) if found else None
