"""An agent program: it tells all workers at once when a file has changed. python3 cache_agent.py FILE"""

import os
import sys
import threading

import clusterd

LOOK = 0.2  # seconds


def changed_at():
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def watch():
    last = changed_at()
    while True:
        threading.Event().wait(LOOK)
        now = changed_at()
        if now not in (last, None):
            agent.send("refresh", "push")
        last = now


path = sys.argv[1] if len(sys.argv) > 1 else "source.txt"
agent = clusterd.Agent()
threading.Thread(target=watch, daemon=True).start()
agent.ready()
agent.run()
