"""How often the master enters the kernel for each connection that it hands out."""

import re
import signal
import subprocess
import time
from pathlib import Path

import kinds
from load import run, warm_up
from outcome import Outcome, Table
from servers import ServerError, running
from spread import spread
from table import number

LABELS = ("limit:rr", "clusterd round-robin", "node rr net", "node rr http")
RATES = (None, 1000)  # as fast as it goes, and at light load
SHOWN = 4  # system calls that are named


def syscalls(settings, progress):
    outcome = Outcome(
        "System calls",
        "Of the master for each connection that it hands to a worker, counted by `strace -f -c`; "
        "2 workers, 64 short connections at a time, and at 1,000 a second. strace makes the "
        "master slower, so under load its batches are fuller than without.",
    )
    outcome.facts["syscalls"] = {}
    rows = []
    for server in kinds.all_of(2, settings.without, labels=LABELS):
        progress(server.label)
        with running([server]):
            warm_up(server)
            busy, light = (
                [_count(server, settings.seconds, rate) for _ in range(settings.few)]
                for rate in RATES
            )
        totals = [sum(calls.values()) for calls in busy]
        outcome.facts["syscalls"][server.label] = totals
        most = sorted(busy[-1].items(), key=lambda item: -item[1])[:SHOWN]
        rows.append(
            [
                server.label,
                number(spread(totals).median, 2),
                number(spread([sum(calls.values()) for calls in light]).median, 2),
                ", ".join(f"{count:.2f} {name}" for name, count in most),
            ]
        )
    columns = ("server", "busy", "at 1,000/s", "busy: the most frequent")
    outcome.tables.append(Table(f"calls for each connection, {settings.few} rounds", columns, rows))
    return outcome


def _count(server, seconds, rate):
    """{system call: how often for each connection that the master accepted}"""
    summary = Path(server.folder, "strace")
    command = ["strace", "-f", "-c", "-o", str(summary), "-p", str(server.pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        _await_attached(tracer)
        run(server, "short", seconds, rate=rate)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        tracer.stderr.close()
    found, accepted = {}, 0
    for line in summary.read_text(encoding="utf-8").splitlines():
        # % time, seconds, usecs/call, calls, [errors,] syscall
        row = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(\d+\s+)?(\w+)$", line)
        if not row or row[3] == "total":
            continue
        found[row[3]] = int(row[1])
        if row[3].startswith("accept"):
            accepted += int(row[1]) - int(row[2] or 0)
    if not accepted:
        raise ServerError(f"strace: {server.label}'s master accepted nothing")
    return {name: calls / accepted for name, calls in found.items()}


def _await_attached(tracer):
    deadline = time.monotonic() + 5
    for line in tracer.stderr:
        if "attached" in line:
            return
        if time.monotonic() > deadline:
            break
    raise ServerError("strace: cannot look at the server's master")
