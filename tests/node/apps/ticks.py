"""ticks.py FOLDER_OF_CLUSTERD_PY FILE: an agent program that adds a line to FILE for each "tick"."""

import os
import sys

sys.path.insert(0, sys.argv[1])
import clusterd

diary = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)


def on_tick(data, message):
    os.write(diary, f"tick {os.getpid()} {message['senderPid']} {data}\n".encode())


agent = clusterd.Agent()
agent.on("tick", on_tick)
agent.ready()
agent.run()
