"""Messages between programs: through clusterd's master, and by Node's process.send."""

import json
import shutil
import subprocess
import time
from pathlib import Path

import kinds
import processes
from outcome import Outcome, Table
from rounds import interleaved
from servers import Server, ServerError, running
from spread import paired_ratios, spread
from table import around, number

SIZES = (64, 4096)
RELAY = "bench-relay"
# What Node is compared with: the primary itself sends, and a worker by way of the primary.
WAYS = {
    "oneway": ("one way", ("oneway",), ("oneway", "relay")),
    "bcast": ("broadcast to 8", ("bcast",), ("bcast", "relay")),
    "turn": ("there and back", ("rtt",), None),
    "rtt": ("to a worker and back", None, ("rtt", "relay")),
}
WORKERS = {"bcast": 8, "turn": 1}
MANY = 10_000_000  # messages, over which the master's memory is looked at
MANY_MOST_SECONDS = 300
KIB = 1024


class Messages(Server):
    """clusterd, whose workers measure by themselves and write down what they found."""

    def __init__(self, kind, size, seconds, most=10**15):
        super().__init__(WORKERS.get(kind, 2))
        self.label = f"clusterd {kind} {size}"
        self.arguments = {"kind": kind, "bytes": size, "seconds": seconds, "most": most}
        self.seconds = seconds

    def command(self):
        text = (kinds.PEERS / "clusterd_messages.conf").read_text(encoding="utf-8")
        self.arguments["file"] = Path(self.folder, "result")
        worker = kinds.BUILT / "bench-messages"
        config = text.format(workers=self.workers, worker=worker, **self.arguments)
        Path(self.folder, "app.conf").write_text(config, encoding="utf-8")
        return [str(kinds.BUILT / "clusterd"), "start", str(Path(self.folder, "app.conf"))]

    def await_ready(self):
        return self.output.wait(kinds.Clusterd.ready_word, self.workers)[1]

    def result(self):
        deadline = time.monotonic() + self.seconds + 30
        path = self.arguments["file"]
        while not path.exists():
            if time.monotonic() > deadline:
                raise ServerError(f"{self.label}: no result")
            time.sleep(0.02)
        return json.loads(path.read_text(encoding="utf-8"))


class Ours:
    def __init__(self, kind, size):
        self.kind, self.size = kind, size
        self.label = f"clusterd {kind} {size}"

    def run(self, seconds):
        with running([server := Messages(self.kind, self.size, seconds)]):
            return server.result()


class Peer:
    """A program that measures by itself, and prints what it found."""

    def __init__(self, label, *command):
        self.label = label
        self.command = [str(word) for word in command]

    def run(self, seconds):
        done = subprocess.run(
            [str(seconds) if word == "SECONDS" else word for word in self.command],
            stdout=subprocess.PIPE,
            timeout=seconds + 60,
            check=True,
            start_new_session=True,
        )
        return json.loads(done.stdout)


def _node(kind, size, *relay):
    label = " ".join(("node", kind, str(size), *relay))
    return Peer(label, "node", kinds.PEERS / "node_messages.js", kind, size, "SECONDS", *relay)


def _bare(kind, size):
    return Peer(f"{RELAY} {kind} {size}", kinds.BUILT / RELAY, kind, size, "SECONDS")


def messages(settings, progress):
    outcome = Outcome(
        "Messages",
        "From worker to worker through clusterd's master, against `process.send` of Node: from its "
        "primary to a worker, and from worker to worker, which the primary's program has to pass "
        "on. The same envelope, data of so many bytes. The sender goes as fast as its receivers "
        "take it (clusterd: until it hears that one is slow; Node: some thousand on their way); "
        "counted is what receivers have heard a second, a broadcast 8 times. `there and back` is a "
        "request to oneself, by way of the master, against the primary's to a worker: the same "
        "number of processes. The ratio is that of the same round. `bench-relay` is a parent in "
        "plain C that passes on lines and looks at nothing but where they end.",
    )
    if "clusterd" in settings.without:
        return outcome
    for size in SIZES:
        _measure(outcome, size, settings, progress)
    _memory(outcome, settings)
    return outcome


def _measure(outcome, size, settings, progress):
    contestants = []
    with_node = "node" not in settings.without and shutil.which("node")
    for kind, (_, *peers) in WAYS.items():
        contestants += [Ours(kind, size), _bare(kind, size)]
        contestants += [_node(peer[0], size, *peer[1:]) for peer in peers if peer and with_node]
    contestants = list({each.label: each for each in contestants}.values())
    found = interleaved(contestants, settings.rounds, lambda c: c.run(settings.seconds), progress)
    rates = {label: [each["rate"] for each in rounds] for label, rounds in found.items()}
    outcome.facts["messages", size] = rates
    rows = []
    for kind, (title, direct, relay) in WAYS.items():
        ours = f"clusterd {kind} {size}"
        lost = sum(each["lost"] for each in found[ours])
        cells = [title, number(spread(rates[ours]).median)]
        for peer in (direct, relay):
            theirs = peer and " ".join(("node", peer[0], str(size), *peer[1:]))
            if theirs not in rates:
                cells += ["", "", ""]
                continue
            ratio = spread(paired_ratios(rates[ours], rates[theirs]))
            cells += [number(spread(rates[theirs]).median), number(ratio.median, 1), around(ratio)]
        bare = rates[f"{RELAY} {kind} {size}"]
        ratio = spread(paired_ratios(rates[ours], bare))
        cells += [number(spread(bare).median), number(ratio.median, 2)]
        rows.append([*cells, number(lost)])
    columns = ("64 B" if size == 64 else "4 KiB", "clusterd/s", "node/s", "ratio", "quartiles")
    columns += ("node, relayed/s", "ratio", "quartiles", f"{RELAY}/s", "ratio", "lost")
    outcome.tables.append(Table(f"{settings.rounds} rounds", columns, rows))


def _memory(outcome, settings):
    """The master's, before and after very many messages."""
    most = MANY if settings.rounds > 2 else MANY // 20
    server = Messages("oneway", 64, MANY_MOST_SECONDS, most)
    with running([server]):
        time.sleep(0.5)
        before, _ = processes.memory_kib(server.pid)
        result = server.result()
        after, _ = processes.memory_kib(server.pid)
    rows = [[number(result["heard"]), number(before / KIB, 1), number(after / KIB, 1)]]
    outcome.facts["messages", "memory"] = [after - before]
    columns = ("messages heard", "RSS early, MiB", "RSS after, MiB")
    outcome.tables.append(Table("the master's memory", columns, rows))
