"""Measurements of several servers in rounds, so that what the machine does hits all alike."""

import random


def interleaved(servers, rounds, measure, progress):
    """Measures every server once a round; {label: [its result in each round]}.

    The order is another one in each round, and the same ones in each run: no server is always
    the first, or always the one after a certain other.
    """
    results = {server.label: [] for server in servers}
    for number in range(rounds):
        order = list(servers)
        random.Random(number).shuffle(order)
        for server in order:
            progress(f"round {number + 1} of {rounds}, {server.label}")
            results[server.label].append(measure(server))
    return results
