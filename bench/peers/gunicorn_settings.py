"""gunicorn's settings for the benchmark; it says on stdout what it does not log."""

import os

bind = "127.0.0.1:0"
backlog = int(os.environ["BENCH_BACKLOG"])
worker_tmp_dir = "/dev/shm"  # nobody's disk in the worker's heartbeat
timeout = 300
loglevel = "error"


def say(line):
    os.write(1, f"{line}\n".encode())  # whole, whatever the other workers write


def when_ready(server):
    host, port = server.LISTENERS[0].getsockname()
    say(f"listening on {host}:{port}")


def post_worker_init(worker):
    say(f"worker {worker.pid} ready")
