"""Node's workers, unmodified: clusterd in the place of Node's own primary."""

import kinds
import processes
from load import Meter, failures, run, warm_up
from outcome import Outcome, Table
from plot import Bars
from rounds import interleaved
from servers import running
from spread import paired_ratios, spread
from table import around, number

COLUMNS = ("server", "answers/s", "ratio", "quartiles", "primary us", "server us", "p50 us")
COLUMNS += ("p99 us", "failed")
WORKERS = 2
TITLES = {"short": "a connection for each request", "keepalive": "connections that stay"}
KIB = 1024


def node(settings, progress):
    outcome = Outcome(
        "Node's workers",
        "The same program, with its own HTTP or on bare sockets, as workers of clusterd and of "
        "Node's own primary, in both of Node's policies. The ratio is clusterd's to Node's of the "
        f"same round. {WORKERS} workers, 64 connections at a time. `primary us` is the CPU time of "
        "the process that hands out connections, `server us` that of all processes, for each "
        "answer.",
    )
    if "node" in settings.without or "clusterd" in settings.without:
        return outcome
    for mode in TITLES:
        _measure(outcome, mode, settings, progress)
    _memory(outcome, settings, progress)
    return outcome


def _measure(outcome, mode, settings, progress):
    meter = Meter(settings.seconds, settings.tries)
    pairs = kinds.node_pairs(WORKERS)
    servers = [server for pair in pairs for server in pair]
    with running(servers):
        for server in servers:
            warm_up(server, mode, 1.0)  # what Node compiles, it compiles while it serves
        results = interleaved(servers, settings.rounds, lambda s: meter(s, mode), progress)
    outcome.others += meter.others
    rates = {label: [load.rate for load in loads] for label, loads in results.items()}
    outcome.facts["node", mode] = rates
    if mode == "short":
        cpu = {label: [load.master_us for load in loads] for label, loads in results.items()}
        outcome.facts["node", "cpu"] = cpu
    bars = Bars(
        f"node-{mode}",
        f"Node's workers, {TITLES[mode]}: answers a second, relative to Node's own primary",
        reference=1,
    )
    rows = []
    for ours, theirs in pairs:
        ratio = spread(paired_ratios(rates[ours.label], rates[theirs.label]))
        bars.add(ours, ratio)
        rows.append(_row(ours, results, ratio))
        rows.append(_row(theirs, results, None))
    outcome.tables.append(Table(f"{TITLES[mode]}, {settings.rounds} rounds", COLUMNS, rows))
    outcome.plots.append(bars)


def _row(server, results, ratio):
    loads = results[server.label]
    figures = [spread([getattr(load, name) for load in loads]) for name in ("rate", "master_us")]
    return [
        server.label,
        number(figures[0].median),
        number(ratio.median, 2) if ratio else "",
        around(ratio) if ratio else "",
        number(figures[1].median, 1),
        number(spread([load.server_us for load in loads]).median, 1),
        number(spread([load.latency["p50"] for load in loads]).median),
        number(spread([load.latency["p99"] for load in loads]).median),
        failures(loads),
    ]


def _memory(outcome, settings, progress):
    """Of the primary, after it has served for half a second."""
    pairs = kinds.node_pairs(kinds.FEW)
    servers = [server for pair in pairs for server in pair if server.label.endswith("http")]

    def measure(server):
        with running([server]):
            run(server, "short", 0.5)
            return processes.memory_kib(server.pid)

    sizes = interleaved(servers, settings.few, measure, progress)
    rows = []
    for at, what in enumerate(("rss", "pss")):
        found = {label: [each[at] for each in rounds] for label, rounds in sizes.items()}
        outcome.facts["node", what] = found
    for server in servers:
        figures = [spread(outcome.facts["node", what][server.label]) for what in ("rss", "pss")]
        rows.append([server.label, *(number(figure.median / KIB, 1) for figure in figures)])
    caption = f"the primary's memory with {kinds.FEW} workers, MiB, {settings.few} rounds"
    outcome.tables.append(Table(caption, ("server", "RSS", "PSS"), rows))
