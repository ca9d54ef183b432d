"""A Dockerfile as instructions, for those that ours has."""

import json
import re

KNOWN = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK",
         "ENTRYPOINT", "CMD"}


def parse(text):
    """The stages, each a list of (instruction, rest); a mistake is a ValueError."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n", " ", "\n".join(lines))
    stages = []
    for line in filter(None, (line.strip() for line in joined.splitlines())):
        word, _, rest = line.partition(" ")
        if word not in KNOWN:
            raise ValueError(f"no such instruction: {line}")
        if word == "FROM":
            stages.append([])
        if not stages:
            raise ValueError(f"before FROM: {line}")
        stages[-1].append((word, rest.strip()))
    return stages


def all_of(stage, word):
    return [rest for instruction, rest in stage if instruction == word]


def only(stage, word):
    found = all_of(stage, word)
    if len(found) != 1:
        raise ValueError(f"{len(found)} times {word}")
    return found[0]


def argv(text):
    """An exec form: a shell in between would not pass signals on."""
    words = json.loads(text)
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"no exec form: {text}")
    return words
