"""A small server that inherits its socket, for what no server of others' can be made to do."""

import os
import select
import signal
import socket
import sys
import time


def notify(text):
    address = os.environ["NOTIFY_SOCKET"].replace("@", "\0", 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(text.encode(), address)


def leave(number, _frame):
    print("asked to leave by", signal.Signals(number).name, flush=True)
    sys.exit(0)


def answer(client, listener):
    words = client.recv(65536).split(b" ")
    if len(words) < 2:
        return client.close()  # it only wanted to be accepted
    path = words[1]
    body = b"hello from inherits.py, pid %d\n" % os.getpid()
    client.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                   % (len(body), body))
    client.close()
    if path == b"/stopping":
        listener.close()
        notify("STOPPING=1")
        time.sleep(1)
        sys.exit(0)
    if path == b"/hang":
        time.sleep(1000)
    return None


def main():
    assert os.environ["LISTEN_PID"] == str(os.getpid())
    assert os.environ["LISTEN_FDS"] == "1" and os.environ["LISTEN_FDNAMES"] == "http"
    assert "CLUSTERD_CHANNEL_FD" not in os.environ
    farewells = {signal.SIGTERM, signal.SIGQUIT}
    for number in farewells:
        signal.signal(number, leave)
    listener = socket.socket(fileno=3)
    listener.setblocking(False)
    time.sleep(float(os.environ.get("SLOW", "0")))
    notify("READY=1\nWATCHDOG=1")
    while True:
        notify("WATCHDOG=1")
        # It leaves between two clients, and not while it has one.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, farewells)
        select.select([listener], [], [], 0.1)
        signal.pthread_sigmask(signal.SIG_BLOCK, farewells)
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            continue
        client.settimeout(5)
        answer(client, listener)


main()
