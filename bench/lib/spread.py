"""What is said of many measurements of one thing: medians and quartiles, paired by round."""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """The median of some values and the quartiles around it."""

    median: float
    low: float
    high: float
    count: int


def spread(values):
    """The Spread of the values that are there (None is one that is not), or None."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    if len(known) == 1:
        return Spread(known[0], known[0], known[0], 1)
    low, median, high = statistics.quantiles(known, n=4, method="inclusive")
    return Spread(median, low, high, len(known))


def paired_ratios(values, reference):
    """Each value divided by the reference's of the same round, where both are there."""
    return [
        value / base for value, base in zip(values, reference) if value is not None and base
    ]


def paired_differences(values, reference):
    """Each value less the reference's of the same round, where both are there."""
    return [
        value - base
        for value, base in zip(values, reference)
        if value is not None and base is not None
    ]


def shares(counts, workers):
    """The counts of all workers, largest first: who got nothing counts as well."""
    known = sorted(counts.values(), reverse=True)
    return known + [0] * (workers - len(known))


def unevenness(counts):
    """The standard deviation as a share of the mean: 0 is a perfectly even spread."""
    mean = statistics.fmean(counts) if counts else 0
    return statistics.pstdev(counts) / mean if mean else None


def extremes(counts):
    """The largest count for each of the smallest; infinite if a worker got nothing."""
    if not counts or not max(counts):
        return None
    return max(counts) / min(counts) if min(counts) else float("inf")
