"""One measurement: bench-load against a running server, and what the CPUs did meanwhile."""

import collections
import json
import os
import subprocess
import time
from dataclasses import dataclass

import processes
from kinds import BUILT

OTHERS_LIMIT = 0.25  # CPUs that other processes may use before a measurement is repeated
TRIES = 3
# Of the load generator, where it goes as fast as it can. One thread needs 45 us for a connection,
# and would be the limit of what is measured.
THREADS = 2


@dataclass(frozen=True)
class Load:
    """What one run of bench-load says, and the CPU time that it took of either side."""

    rate: float  # answers a second
    done: int
    failed: dict  # kind of failure: how often
    latency: dict  # p50, p90, p99, p999, max, mean in microseconds
    counts: dict  # pid of a worker: answers, or connections held
    server_us: float  # CPU time of the whole server for each answer
    master_us: float  # the part of it that is the master's own
    client_us: float
    others: float  # CPUs that other processes used, or that the host took


def run(server, mode, seconds, connections=64, rate=None):
    """One run, without a warm-up: so the server's CPU time is that of the answers counted."""
    command = [BUILT / "bench-load", "--address", server.address, "--mode", mode]
    command += ["--connections", connections, "--seconds", seconds, "--warmup", 0]
    if rate is not None:
        command += ["--rate", rate]
    elif mode != "held":
        command += ["--threads", THREADS]
    begin, busy, cpu = time.monotonic(), processes.busy_seconds(), processes.cpu_seconds(server.pid)
    own = processes.own_cpu_seconds(server.pid)
    before = os.times()
    text = subprocess.run(
        [str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    after = os.times()
    cpu = processes.cpu_seconds(server.pid) - cpu
    own = processes.own_cpu_seconds(server.pid) - own
    busy = processes.busy_seconds() - busy
    elapsed = time.monotonic() - begin
    ours = sum(after[:4]) - sum(before[:4])  # this process and the load generator
    said = json.loads(text)
    done = said["done"]
    return Load(
        rate=said["rate"],
        done=done,
        failed={kind: count for kind, count in said["failed"].items() if count},
        latency=said["latency_us"],
        counts=said["workers"],
        server_us=cpu / done * 1e6 if done else float("nan"),
        master_us=own / done * 1e6 if done else float("nan"),
        client_us=said["cpu_s"] / done * 1e6 if done else float("nan"),
        others=max(0.0, (busy - cpu - ours) / elapsed),
    )


def failures(loads):
    """How many failed, and how, for a cell."""
    kinds = collections.Counter()
    for load in loads:
        kinds.update(load.failed)
    text = f"{kinds.total():,}"
    return text + (": " + ", ".join(f"{n} {kind}" for kind, n in kinds.items()) if kinds else "")


class Meter:
    """Measures, and measures again while others use the machine: the quietest run counts.

    The choice is by the noise alone and never by the result.
    """

    def __init__(self, seconds, tries=TRIES):
        self.seconds = seconds
        self.tries = tries
        self.others = []  # of every run that counts

    def __call__(self, server, mode, **options):
        runs = []
        while len(runs) < self.tries:
            runs.append(run(server, mode, self.seconds, **options))
            if runs[-1].others <= OTHERS_LIMIT:
                break
        quietest = min(runs, key=lambda run: run.others)
        self.others.append(quietest.others)
        return quietest


def warm_up(server, mode="short", seconds=0.4):
    """Caches, lazily bound symbols and compiled JavaScript are no part of a measurement."""
    run(server, mode, seconds)
