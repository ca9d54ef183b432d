"""What the master and its workers hold in memory."""

import kinds
import processes
from kinds import FEW, MANY
from load import run
from outcome import Outcome, Table
from plot import Bars
from rounds import interleaved
from servers import running
from spread import spread
from table import number

KIB = 1024


def memory(settings, progress):
    outcome = Outcome(
        "Memory",
        f"Of the master (Node: primary) after it has served for half a second, with {FEW} and "
        f"with {MANY} workers. PSS shares out pages that several processes use; RSS counts them "
        "fully, and the last column says how much more of it each worker makes. `all` is the PSS of every process of the server.",
    )

    def measure(server):
        with running([server]):
            run(server, "short", 0.5)
            rss, pss = processes.memory_kib(server.pid)
            everyone = [processes.memory_kib(pid)[1] for pid in processes.tree(server.pid)]
            return rss, pss, sum(everyone)

    sizes = {}
    for workers in (FEW, MANY):
        servers = kinds.one_a_kind(workers, settings.without)
        sizes[workers] = interleaved(servers, settings.few, measure, progress)
        for at, what in enumerate(("rss", "pss")):
            outcome.facts[what, workers] = {
                label: [rounds[at] for rounds in found] for label, found in sizes[workers].items()
            }
    bars = Bars("memory", f"The master's memory (PSS) with {FEW} workers, MiB", digits=1)
    rows = []
    for server in servers:
        rss, pss, everyone = zip(*sizes[FEW][server.label])
        rss_many, pss_many, everyone_many = zip(*sizes[MANY][server.label])
        more = (spread(rss_many).median - spread(rss).median) / (MANY - FEW)
        bars.add(server, spread([kib / KIB for kib in pss]))
        rows.append(
            [
                server.label,
                *(
                    number(spread(kib).median / KIB, 1)
                    for kib in (rss, pss, everyone, rss_many, pss_many, everyone_many)
                ),
                number(more, 1),
            ]
        )
    titles = [f"{what}, {workers}" for workers in (FEW, MANY) for what in ("RSS", "PSS", "all")]
    columns = ("server", *titles, "KiB more a worker")
    outcome.tables.append(Table(f"MiB, {settings.few} rounds", columns, rows))
    outcome.plots.append(bars)
    return outcome
