"""Where and of what a report is: the machine, and the sources."""

import datetime
import os
import platform
import re
import subprocess
from pathlib import Path

from kinds import ROOT


def _first(path, pattern, default="unknown"):
    try:
        found = re.search(pattern, Path(path).read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return default
    return found[1] if found else default


def describe():
    """The CPU, the memory, the system; no names of the machine or of its people."""
    memory = int(_first("/proc/meminfo", r"^MemTotal:\s+(\d+) kB", "0")) / 2**20
    flags = _first("/proc/cpuinfo", r"^flags\s*: (.*)$").split()
    guest = " (virtual machine)" if "hypervisor" in flags else ""
    return (
        f"{_first('/proc/cpuinfo', r'^model name.*: (.*)$', platform.machine())}, "
        f"{len(os.sched_getaffinity(0))} CPUs{guest}, {memory:.0f} GiB, "
        f"Linux {platform.release().split('-')[0]}, "
        f"{_first('/etc/os-release', '^PRETTY_NAME=.(.*?).$')}"
    )


def commit():
    """The commit that is measured; "+" if files of it have been changed since."""

    def git(*words):
        return subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!bench/results")
    return (git("rev-parse", "--short=12", "HEAD") or "unknown") + ("+" if changed else "")


def today():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
