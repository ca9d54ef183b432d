"""talks.py FOLDER_OF_CLUSTERD_PY ADDRESS: does what GET /PID/WHAT/... asks of the process PID.

With "agent" as ADDRESS it is an agent program, and is asked by messages alone.
"""

import os
import queue
import signal
import sys
import threading

sys.path.insert(0, sys.argv[1])
import clusterd

LONG = 2_000_000  # more than any line may have


def ask(to, action, seconds):
    answers = queue.Queue()
    whom = {"to": to} if to in ("agent", "random") else {"pid": int(to)}
    program.request(action, [1, "two"], answers.put, timeout=float(seconds), **whom)
    answer = answers.get(timeout=60)
    return f"{answer.error} from {answer.sender}: {answer.data}"


def send(action, slot):
    program.send_to_slot(int(slot), action)
    return "sent"


def try_to_send(what, slot):
    try:
        program.send_to_slot(int(slot), "note", {"nan": float("nan"), "long": LONG * "x"}[what])
    except ValueError as error:
        return f"ValueError: {error}"
    return "sent"


def send_longest(slot):
    """The longest message that may be: gives how much of it is data."""
    for size in range(65_536, 0, -1):
        try:
            program.send_to_slot(int(slot), "size", size * "x")
        except ValueError:
            continue
        return str(size)


def press(pid):
    """Sends more to a stopped process than it can be sent without a word."""
    os.kill(int(pid), signal.SIGSTOP)
    for _ in range(16):
        program.send_to(int(pid), "size", 50_000 * "x")
    first = pressures.get(timeout=20)
    os.kill(int(pid), signal.SIGCONT)
    return f"{first} {pressures.get(timeout=20)}"


def crowd(pid):
    """Several threads ask more than any socket or queue has room for, and so much is answered."""
    answers = queue.Queue()
    threads, each, data = 4, 300, 10_000 * "x"

    def ask_all():
        for _ in range(each):
            program.request("echo", data, answers.put, timeout=5, pid=int(pid))

    for _ in range(threads):
        threading.Thread(target=ask_all).start()
    ends = {answers.get(timeout=60).error for _ in range(threads * each)}
    return "all ended" if None in ends and answers.empty() else str(ends)


def raise_much(_):
    raise ValueError(LONG * "x")


def serve(connection):
    words = connection.recv(65536).split(b" ")[1].decode().split("/")[1:]
    body = f"pid is {os.getpid()}\n"
    if words[0] == str(os.getpid()):
        body += verbs[words[1]](*words[2:])
    head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall((head + body).encode())


verbs = {
    "ask": ask,
    "send": send,
    "try": try_to_send,
    "longest": send_longest,
    "press": press,
    "crowd": crowd,
    "heard": lambda: ", ".join(heard),
    "events": lambda: ", ".join(events),
}
heard = []
events = []
pressures = queue.Queue()
is_agent = sys.argv[2] == "agent"
program = clusterd.Agent() if is_agent else clusterd.Worker()
program.on_undelivered = lambda action, count: heard.append(f"undelivered {action} {count}")
program.on_pressure = lambda pid, high: pressures.put((pid, high))
program.on_event = events.append
program.on("echo", lambda data, message: program.reply(message, data))
program.on("heard", lambda data, message: program.reply(message, heard))
program.on("hold", lambda data: None)
program.on("die", lambda data: os.kill(os.getpid(), signal.SIGKILL))
program.on("raise", lambda data: 1 / 0)
program.on("raise-much", raise_much)
program.on("size", lambda data: heard.append(str(len(data))))
program.on("note", lambda data: heard.append("note"))
program.once("once", lambda data: heard.append("once"))
program.on_schedule("wordy", raise_much)
if is_agent:
    program.ready()
else:
    program.listen(sys.argv[2], serve)
program.run()
