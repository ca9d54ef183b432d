"""alone.py FOLDER_OF_CLUSTERD_PY: what a worker says to itself without a master."""

import sys
import threading

sys.path.insert(0, sys.argv[1])
import clusterd

REQUESTS = 70_000  # more than a pipe has room for
DEEP = 5_000  # more than Python calls itself


def note(text):
    assert threading.current_thread() is threading.main_thread()
    print(text, flush=True)


def on_lost(answer):
    lost.append(answer.error)
    if len(lost) == REQUESTS:
        note(f"lost {set(lost)}")
        worker.send("down", DEEP)


def on_down(left):
    if left > 0:
        worker.send("down", left - 1)
    else:
        note("down")
        threading.Thread(target=lambda: worker.request("echo", (1, 2), on_echo, slot=0)).start()


def on_echo(answer):
    note(f"echo {answer.data}")
    worker.request("hold", None, on_late, timeout=-1, to="random")


def on_late(answer):
    note(f"late {answer.error}")
    worker.on_undelivered = lambda action, count: (note(f"missed {action} {count}"), leave())
    worker.send_to_agent("any")


def leave():
    worker.request("hold", None, lambda answer: note(f"left {answer.error}"), timeout=60, slot=0)
    worker.suicide()


lost = []
worker = clusterd.Worker()
worker.on("down", on_down)
worker.on("echo", lambda data, message: worker.reply(message, data))
for _ in range(REQUESTS):
    worker.request("any", None, on_lost, timeout=600, to="agent")
worker.run()
