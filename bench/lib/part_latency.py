"""How long a connection takes that comes to a server with little to do."""

import kinds
from load import Meter, failures, warm_up
from outcome import Outcome, Table
from plot import Bars
from rounds import interleaved
from servers import running
from spread import paired_differences, spread
from table import around, number

RATE = 1000
COLUMNS = ("server", "p50 us", "p99 us", "p99.9 us", "added p50 us", "quartiles", "server us")
COLUMNS += ("failed",)


def latency(settings, progress):
    outcome = Outcome(
        "Latency at light load",
        f"{RATE:,} short connections a second, sent when they are due, whether or not those "
        "before have been answered (open loop), to 2 workers. The time is from when one was due "
        f"to its answer. `added` is the difference to `{kinds.REFERENCE}` in the same round.",
    )
    meter = Meter(max(1, settings.seconds), settings.tries)
    servers = kinds.all_of(2, settings.without)
    with running(servers):
        for server in servers:
            warm_up(server)
        results = interleaved(
            servers, settings.rounds, lambda s: meter(s, "short", rate=RATE), progress
        )
    outcome.others += meter.others
    p50 = {label: [load.latency["p50"] for load in loads] for label, loads in results.items()}
    outcome.facts["p50"] = p50
    bars = Bars(
        "latency", f"Connect to answer, {RATE:,} connections a second: p50 in us", 0, log=True
    )
    rows = []
    for server in servers:
        loads = results[server.label]
        added = spread(paired_differences(p50[server.label], p50[kinds.REFERENCE]))
        bars.add(server, spread(p50[server.label]))
        rows.append(
            [
                server.label,
                *(
                    number(spread([load.latency[which] for load in loads]).median)
                    for which in ("p50", "p99", "p999")
                ),
                number(added.median),
                around(added, 0),
                number(spread([load.server_us for load in loads]).median),
                failures(loads),
            ]
        )
    outcome.tables.append(Table(f"2 workers, {settings.rounds} rounds", COLUMNS, rows))
    outcome.plots.append(bars)
    return outcome
