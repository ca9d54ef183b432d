"""What clusterd wants to reach, and whether it does: all ratios are to servers of the same run."""

from dataclasses import dataclass

from kinds import REFERENCE
from spread import Spread, paired_differences, paired_ratios, spread
from table import around, number

RACE, ROUND_ROBIN = "clusterd accept-race", "clusterd round-robin"


@dataclass(frozen=True)
class Goal:
    what: str
    target: float
    at_least: bool  # else at most
    digits: int
    unit: str
    measured: object  # facts -> Spread; KeyError if that was not measured

    def row(self, facts):
        """The cells of the table, or None if this was not measured."""
        try:
            found = self.measured(facts)
        except KeyError:
            found = None
        if found is None:
            return None
        met = found.median >= self.target if self.at_least else found.median <= self.target
        sign = "at least" if self.at_least else "at most"
        wanted = f"{sign} {number(self.target, self.digits)} {self.unit}".rstrip()
        measured = f"{number(found.median, self.digits)} ({around(found, self.digits)})"
        return [self.what, wanted, measured, "met" if met else "missed"]


def _ratio(part, workers, label, reference=REFERENCE):
    def measured(facts):
        rates = facts[part, workers]
        return spread(paired_ratios(rates[label], rates[reference]))

    return measured


def _to(label):
    return _ratio("short", 2, ROUND_ROBIN, label)


def _worst(*measured):
    """Of several figures that shall all be small, the largest."""

    def worst(facts):
        found = [each(facts) for each in measured]
        return max(filter(None, found), key=lambda figure: figure.median, default=None)

    return worst


def _values(key, label, scale=1.0):
    return lambda facts: spread([value and value * scale for value in facts[key][label]])


def _added(facts):
    return spread(paired_differences(facts["p50"][ROUND_ROBIN], facts["p50"][REFERENCE]))


def _kib_more(facts):
    few, many = (spread(facts["rss", workers][ROUND_ROBIN]) for workers in (4, 64))
    return Spread(
        (many.median - few.median) / 60, (many.low - few.high) / 60, (many.high - few.low) / 60, 1
    )


def _uneven(kind, label):
    return [_values((f"uneven {kind}", workers), label) for workers in (4, 8)]


def _under(what, policy, server):
    """Node's workers under clusterd, to the same under Node's own primary."""

    def measured(facts):
        found = facts["node", what]
        label = f"node {policy} {server}"
        return spread(paired_ratios(found[f"clusterd, {label}"], found[label]))

    return measured


def _lowest(*measured):
    """Of several figures that shall all be large, the smallest."""

    def lowest(facts):
        found = [each(facts) for each in measured]
        return min(filter(None, found), key=lambda figure: figure.median, default=None)

    return lowest


def _message(kind, *node, size=64):
    """Messages a second, to Node's."""

    def measured(facts):
        rates = facts["messages", size]
        theirs = " ".join(("node", node[0], str(size), *node[1:]))
        return spread(paired_ratios(rates[f"clusterd {kind} {size}"], rates[theirs]))

    return measured


def _grown(facts):
    return spread([grown / 1024 for grown in facts["messages", "memory"]])


_NODE_ELSEWHERE = [
    _under(what, policy, server)
    for what, policy in (("short", "none"), ("keepalive", "rr"), ("keepalive", "none"))
    for server in ("net", "http")
]


def _goals():
    least = lambda what, target, measured, digits=2: Goal(what, target, True, digits, "", measured)
    most = lambda what, target, unit, measured, digits=1: Goal(
        what, target, False, digits, unit, measured
    )
    to_limit = f"to `{REFERENCE}`"
    return [
        least(f"accept race, 2 workers, {to_limit}", 0.97, _ratio("short", 2, RACE)),
        least(f"round-robin, 2 workers, {to_limit}", 1.05, _ratio("short", 2, ROUND_ROBIN)),
        least("round-robin, 2 workers, to `limit:rr`", 0.9, _to("limit:rr")),
        least(f"round-robin, 8 workers, {to_limit}", 1.7, _ratio("short", 8, ROUND_ROBIN)),
        least("round-robin to Node's, bare sockets", 2.8, _to("node rr net")),
        least("round-robin to Node's, HTTP", 3.2, _to("node rr http")),
        least(f"keep-alive, accept race, {to_limit}", 0.95, _ratio("keepalive", 2, RACE)),
        least(f"keep-alive, round-robin, {to_limit}", 0.95, _ratio("keepalive", 2, ROUND_ROBIN)),
        most("round-robin, p50 added at 1,000/s", 50, "us", _added, 0),
        most(
            "round-robin, sd/mean, the worst of four",
            0.01,
            "",
            _worst(*_uneven("short", ROUND_ROBIN), *_uneven("held", ROUND_ROBIN)),
            3,
        ),
        most(
            "accept race, sd/mean of 1,000 held, the worse of two",
            0.1,
            "",
            _worst(*_uneven("held", RACE)),
            3,
        ),
        most("master, RSS with 4 workers", 6, "MiB", _values(("rss", 4), ROUND_ROBIN, 1 / 1024)),
        most("master, PSS with 4 workers", 3, "MiB", _values(("pss", 4), ROUND_ROBIN, 1 / 1024)),
        most("master, RSS for each worker more", 32, "KiB", _kib_more),
        most("start to 4 ready workers", 25, "ms", _values(("ready", 4), ROUND_ROBIN)),
        most("start to 64 ready workers", 120, "ms", _values(("ready", 64), ROUND_ROBIN)),
        most("kill -9 to a ready replacement", 4, "ms", _values("crash", ROUND_ROBIN)),
        most("master, system calls a hand-off", 2.2, "", _values("syscalls", ROUND_ROBIN), 2),
        least("Node's workers, short, rr, net, to Node's", 1.4, _under("short", "rr", "net")),
        least("Node's workers, short, rr, HTTP, to Node's", 1.4, _under("short", "rr", "http")),
        least("Node's workers elsewhere, the worst of six", 1.0, _lowest(*_NODE_ELSEWHERE)),
        most("Node's workers: CPU of the primary", 0.33, "", _under("cpu", "rr", "http"), 2),
        least("messages one way, 64 B, to Node's", 5, _message("oneway", "oneway"), 1),
        least("messages to 8, 64 B, to Node's", 5, _message("bcast", "bcast"), 1),
        least("messages there and back, 64 B, to Node's", 1.4, _message("turn", "rtt"), 1),
        least("request to a worker, 64 B, to Node's", 1.4, _message("rtt", "rtt", "relay"), 1),
        least("messages one way, 4 KiB, to Node's", 5, _message("oneway", "oneway", size=4096), 1),
        least("messages to 8, 4 KiB, to Node's", 5, _message("bcast", "bcast", size=4096), 1),
        least("there and back, 4 KiB, to Node's", 1.4, _message("turn", "rtt", size=4096), 1),
        most("master, RSS over 10 million messages", 2, "MiB more", _grown),
        most("Node's workers: RSS of the primary", 0.25, "", _under("rss", "rr", "http"), 2),
    ]


def rows(facts):
    return [row for goal in _goals() if (row := goal.row(facts))]
