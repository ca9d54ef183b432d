"""gunicorn's settings for the benchmark; it says on stdout what it does not log."""

import os

bind = "127.0.0.1:0"
backlog = int(os.environ["BENCH_BACKLOG"])
worker_tmp_dir = "/dev/shm"  # nobody's disk in the worker's heartbeat
timeout = 300
loglevel = "error"


def when_ready(server):
    host, port = server.LISTENERS[0].getsockname()
    print(f"listening on {host}:{port}", flush=True)


def post_worker_init(worker):
    print(f"worker {worker.pid} ready", flush=True)
