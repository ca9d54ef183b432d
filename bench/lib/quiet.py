"""Whether others use the machine before a time is taken that is too short to tell from."""

import time

import processes
from load import OTHERS_LIMIT

LOOK = 0.2  # seconds; what happened in it is known to 5 % of a CPU


def await_quiet(tries, others):
    """Looks, and looks again while others use the machine; appends what they used in the last."""
    for _ in range(tries):
        begin, busy = time.monotonic(), processes.busy_seconds()
        time.sleep(LOOK)
        used = (processes.busy_seconds() - busy) / (time.monotonic() - begin)
        if used <= OTHERS_LIMIT:
            break
    others.append(used)
