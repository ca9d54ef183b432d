"""How long a dead worker's replacement takes."""

import os
import signal
import time

import kinds
import processes
from kinds import FEW
from outcome import Outcome, Table
from plot import Bars
from probe import first_answer
from quiet import await_quiet
from rounds import interleaved
from servers import ServerError, running
from spread import spread
from table import around, number

PATIENCE = 5


def crash(settings, progress):
    outcome = Outcome(
        "Crash",
        "`kill -9` of each of 4 workers once, one after another: milliseconds until its "
        "replacement exists, and until it has answered a client that asks four times at once every "
        "half of a millisecond, which takes CPU from both. `never` counts those that did not answer "
        f"within {PATIENCE} s. `ready` is of other kills, without a client: until the server itself "
        "says that the replacement is ready, if it says so.",
    )
    servers = kinds.one_a_kind(FEW, settings.without)

    def measure(server):
        await_quiet(settings.tries, outcome.others)
        return _kill_each(server)

    results = interleaved(servers, settings.few, measure, progress)
    outcome.facts["crash"] = {}
    bars = Bars("crash", "kill -9 of a worker to the replacement's first answer, ms", log=True)
    rows = []
    for server in servers:
        kills = [kill for round_of in results[server.label] for kill in round_of[0]]
        told = [ready for round_of in results[server.label] for ready in round_of[1]]
        ready = spread(told) if told else None
        forked = spread([kill[0] for kill in kills])
        answered = spread([kill[1] for kill in kills])
        outcome.facts["crash"][server.label] = told
        bars.add(server, answered)
        rows.append(
            [
                server.label,
                number(len(kills)),
                number(forked.median if forked else None, 2),
                number(ready.median if ready else None, 2),
                around(ready),
                number(answered.median if answered else None, 2),
                around(answered),
                number(sum(1 for kill in kills if kill[1] is None)),
            ]
        )
    columns = (
        "server", "kills", "forked", "ready", "quartiles", "answering", "quartiles", "never"
    )
    outcome.tables.append(Table("ms", columns, rows))
    outcome.plots.append(bars)
    return outcome


def _kill_each(server):
    """([(ms to the fork, ms to the answer)], [ms to ready]), each for every worker of a freshly
    started server."""
    return _kill_with_client(server), _kill_alone(server) if server.ready_word else []


def _kill_alone(server):
    found = []
    with running([server]):
        for dead, victim in enumerate(server.worker_pids(), start=1):
            time.sleep(0.1)
            killed = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            _, ready = server.output.wait(server.ready_word, count=server.workers + dead)
            found.append((ready - killed) * 1000)
    return found


def _kill_with_client(server):
    found = []
    with running([server]):
        for victim in server.worker_pids():
            time.sleep(0.1)
            if processes.born(victim) is None:
                raise ServerError(f"{server.label}: a worker died that nobody had killed")
            found.append(_kill(server, victim))
    return found


def _kill(server, victim):
    known = set(processes.tree(server.pid))
    first_answer(server.address, {0}, time.monotonic() + PATIENCE)  # warms up client and workers
    forked = None

    def look():
        nonlocal forked
        if forked is None and not known.issuperset(processes.children(server.pid)):
            forked = time.monotonic()

    killed = time.monotonic()
    os.kill(victim, signal.SIGKILL)
    answered = first_answer(server.address, known, killed + PATIENCE, look)
    return [at and (at - killed) * 1000 for at in (forked or answered, answered)]
