"""How long a server takes from its start until all workers are ready."""

import kinds
from kinds import FEW, MANY
from outcome import Outcome, Table
from plot import Bars
from quiet import await_quiet
from rounds import interleaved
from spread import spread
from table import around, number


def start(settings, progress):
    outcome = Outcome(
        "Start",
        "Milliseconds from the start of the program until all workers are ready: by its own word "
        "where it gives one (clusterd's log, Node's `listening` events, gunicorn's hook), else "
        "when all workers sleep, waiting for clients (limit, nginx). clusterd and Node start a "
        "program for each worker; the others fork.",
    )
    columns = ["server"]
    found = {}
    for workers in (FEW, MANY):

        def measure(server):
            await_quiet(settings.tries, outcome.others)
            try:
                return server.start() * 1000
            finally:
                server.stop()

        servers = kinds.one_a_kind(workers, settings.without)
        rounds = settings.rounds if workers == FEW else settings.few
        found[workers] = interleaved(servers, rounds, measure, progress)
        outcome.facts["ready", workers] = found[workers]
        columns += [f"{workers} workers", "quartiles"]
        bars = Bars(f"start-{workers}", f"Start to {workers} ready workers, ms", log=True)
        for server in servers:
            bars.add(server, spread(found[workers][server.label]))
        outcome.plots.append(bars)
    rows = []
    for server in servers:
        row = [server.label]
        for workers in (FEW, MANY):
            times = spread(found[workers][server.label])
            row += [number(times.median, 1), around(times, 1)]
        rows.append(row)
    caption = f"ms; {FEW} workers {settings.rounds} times, {MANY} workers {settings.few} times"
    outcome.tables.append(Table(caption, tuple(columns), rows))
    return outcome
