"""Answers a second with all connections busy: a connection each, or kept alive."""

import kinds
from load import Meter, failures, warm_up
from outcome import Outcome, Table
from plot import Bars
from rounds import interleaved
from servers import running
from spread import paired_ratios, spread
from table import around, number

COLUMNS = ("server", "answers/s", "ratio", "quartiles", "server us", "client us", "p50 us")
COLUMNS += ("p99 us", "failed")


def short(settings, progress):
    outcome = Outcome(
        "Short connections",
        "64 connections at a time, each: connect, one request, the answer, the end. The ratio is "
        f"to `{kinds.REFERENCE}` in the same round. `server us` and `client us` are CPU time for "
        "each answer: of the server's whole process tree, and of the load generator, which "
        "shares the same CPUs and takes the larger part of them.",
    )
    for workers in (2, 8):
        _measure(outcome, "short", workers, settings, progress)
    return outcome


def keepalive(settings, progress):
    outcome = Outcome(
        "Keep-alive",
        "64 connections that stay, each with one request after another. Who handed the "
        "connections out has no part in it any more; how many each worker has, does.",
    )
    _measure(outcome, "keepalive", 2, settings, progress)
    return outcome


def _measure(outcome, mode, workers, settings, progress):
    meter = Meter(settings.seconds, settings.tries)
    servers = kinds.all_of(workers, settings.without, mode)
    with running(servers):
        for server in servers:
            warm_up(server, mode)
        results = interleaved(servers, settings.rounds, lambda s: meter(s, mode), progress)
    outcome.others += meter.others
    rates = {label: [load.rate for load in loads] for label, loads in results.items()}
    outcome.facts[mode, workers] = rates
    bars = Bars(
        f"{mode}-{workers}",
        f"{outcome.title}, {workers} workers: answers a second, relative to {kinds.REFERENCE}",
        reference=1,
    )
    rows = []
    for server in servers:
        loads = results[server.label]
        ratio = spread(paired_ratios(rates[server.label], rates[kinds.REFERENCE]))
        bars.add(server, ratio)
        rows.append(
            [
                server.label,
                number(spread(rates[server.label]).median),
                number(ratio.median, 2),
                around(ratio),
                number(spread([load.server_us for load in loads]).median, 1),
                number(spread([load.client_us for load in loads]).median, 1),
                number(spread([load.latency["p50"] for load in loads]).median),
                number(spread([load.latency["p99"] for load in loads]).median),
                failures(loads),
            ]
        )
    outcome.tables.append(Table(f"{workers} workers, {settings.rounds} rounds", COLUMNS, rows))
    outcome.plots.append(bars)
