"""What the kernel says of processes: who belongs to a server, what they used, what they hold."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def _fields(pid):
    """The fields of /proc/PID/stat after the name, or None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text[text.rfind(")") + 2 :].split()


def state(pid):
    """One letter, as in ps: S sleeps, R runs, Z is dead and not yet reaped; None is gone."""
    fields = _fields(pid)
    return fields[0] if fields else None


def born(pid):
    """When the process started: with its number this names it for ever. None if it is gone."""
    fields = _fields(pid)
    return None if fields is None or fields[0] in "ZX" else int(fields[19])


def children(pid):
    """The processes whose parent this is, in the order of their numbers."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    except OSError:
        return []
    return sorted(int(word) for word in text.split())


def tree(root):
    """The process, its children, and theirs."""
    found = [root]
    for pid in found:
        found.extend(children(pid))
    return found


def session(leader):
    """All processes of one session: also those whose parent has died."""
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if (fields := _fields(pid)) and int(fields[3]) == leader]


def cpu_seconds(root):
    """CPU time of a server so far: of all that live, and of those that they have reaped."""
    ticks = 0
    for pid in tree(root):
        fields = _fields(pid)
        if fields:
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICKS


def own_cpu_seconds(pid):
    """CPU time of one process so far, without its children."""
    fields = _fields(pid)
    return sum(int(field) for field in fields[11:13]) / _TICKS if fields else 0.0


def busy_seconds():
    """CPU time that the whole machine has used or that its host has taken from it."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = (
        int(word) for word in Path("/proc/stat").read_text(encoding="utf-8").split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def memory_kib(pid):
    """(RSS, PSS) of a process: all its pages, and its share of those that it shares."""
    figures = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition(":")
        if rest.endswith(" kB"):
            figures[name] = int(rest.split()[0])
    return figures["Rss"], figures["Pss"]
