"""The report: goals first, then each part with its plots and tables."""

import goals
import machine
import table
from kinds import versions
from load import OTHERS_LIMIT
from spread import spread

METHOD = """\
Servers are compared within one run. All that a table compares are started, warmed up and kept
running; then each is measured once a round, in an order that differs from round to round, and
ratios are taken within a round. A figure is the median of the rounds, with the quartiles in
brackets or beside it. Server and load generator share the machine, over loopback; each server is
in a session of its own, as a daemon is. A measurement during which other processes used more than
a quarter of a CPU is repeated, up to twice, and the quietest one counts. Absolute figures are this
machine's; ratios travel better.
"""


def write(path, outcomes, settings, quick):
    """Writes the report, and its plots beside it; returns the goals as (met, measured)."""
    facts = {key: found for outcome in outcomes for key, found in outcome.facts.items()}
    verdicts = goals.rows(facts)
    sections = [_head(outcomes, settings, quick)]
    if verdicts:
        columns = ("goal", "wanted", "measured", "verdict")
        sections.append("## Goals\n\n" + table.markdown(columns, verdicts))
    path.parent.mkdir(parents=True, exist_ok=True)
    for outcome in outcomes:
        sections.append(_section(outcome))
        for plot in outcome.plots:
            path.with_name(f"{plot.name}.svg").write_text(plot.svg(), encoding="utf-8")
    path.write_text("\n".join(sections), encoding="utf-8")
    return sum(row[-1] == "met" for row in verdicts), len(verdicts)


def _head(outcomes, settings, quick):
    names = ", ".join(f"{name} {version}" for name, version in versions(settings.without).items())
    others = spread([value for outcome in outcomes for value in outcome.others])
    lines = [
        "# What clusterd costs, measured",
        "",
        "Made by `bench/run`; see [bench/README.md](../README.md).",
        "",
        f"- Machine: {machine.describe()}",
        f"- Programs: {names}",
        f"- Date and commit: {machine.today()}, {machine.commit()}",
        f"- Rounds: {settings.rounds} of {settings.seconds:g} s; tables that have fewer say so",
    ]
    if others:
        lines.append(
            f"- Others on the machine: {others.median:.2f} CPUs (median), "
            f"{others.low:.2f} to {others.high:.2f} (quartiles)"
        )
        if others.high > OTHERS_LIMIT:
            lines += ["", "**Others used the machine: times are too long, and ratios are vague.**"]
    if quick:
        lines += ["", "**A quick run: it shows that everything works, and little else.**"]
    return "\n".join([*lines, "", METHOD])


def _section(outcome):
    lines = [f"## {outcome.title}", "", outcome.method, ""]
    for plot in outcome.plots:
        lines += [f"![{plot.title}]({plot.name}.svg)", ""]
    for found in outcome.tables:
        lines += [f"### {found.caption}", "", table.markdown(found.columns, found.rows)]
    return "\n".join(lines)
