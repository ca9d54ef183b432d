"""How evenly connections are spread over the workers."""

import kinds
from load import Meter, failures
from outcome import Outcome, Table
from plot import Bars
from rounds import interleaved
from servers import running
from spread import extremes, shares, spread, unevenness
from table import number

HELD = 1000
COLUMNS = ("server", "short: sd/mean", "max/min", "held: sd/mean", "max/min", "held by each, once")
COLUMNS += ("failed",)


def fairness(settings, progress):
    outcome = Outcome(
        "Fairness",
        "How many connections each worker got: with 64 short ones at a time, and of "
        f"{HELD:,} that come at once and stay. sd/mean is the standard deviation of the workers' "
        "counts as a share of their mean, 0 is even; medians. `sticky` sends each client address "
        "to one worker, and here are 16 addresses.",
    )
    for workers in (4, 8):
        _measure(outcome, workers, settings, progress)
    return outcome


def _measure(outcome, workers, settings, progress):
    meter = Meter(settings.seconds, settings.tries)
    servers = kinds.all_of(workers, settings.without)

    def measure(server):
        busy = meter(server, "short")
        held = None
        if "held" in server.modes:
            held = meter(server, "held", connections=HELD)
        return busy, held

    with running(servers):
        results = interleaved(servers, settings.few, measure, progress)
    outcome.others += meter.others
    busy_facts = outcome.facts["uneven short", workers] = {}
    held_facts = outcome.facts["uneven held", workers] = {}
    bars = Bars(
        f"fairness-{workers}",
        f"{HELD:,} held connections over {workers} workers: sd/mean, 0 is even",
        digits=3,
    )
    rows = []
    for server in servers:
        busy = [shares(load.counts, workers) for load, _ in results[server.label]]
        held = [shares(load.counts, workers) for _, load in results[server.label] if load]
        busy_facts[server.label] = [unevenness(counts) for counts in busy]
        held_facts[server.label] = [unevenness(counts) for counts in held]
        bars.add(server, spread(held_facts[server.label]))
        rows.append(
            [
                server.label,
                *_cells(busy),
                *_cells(held),
                "/".join(map(str, held[-1])) if held else "-",
                failures([load for both in results[server.label] for load in both if load]),
            ]
        )
    outcome.tables.append(Table(f"{workers} workers, {settings.few} rounds", COLUMNS, rows))
    outcome.plots.append(bars)


def _cells(counts_of_rounds):
    uneven = spread([unevenness(counts) for counts in counts_of_rounds])
    ratio = sorted(extremes(counts) or 1 for counts in counts_of_rounds)
    if uneven is None:
        return "-", "-"
    return number(uneven.median, 3), number(ratio[len(ratio) // 2], 2)
