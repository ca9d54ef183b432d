"""What a part of the benchmark finds, for the report and for the goals."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Settings:
    """How much is measured, and what is left out."""

    rounds: int
    seconds: float
    without: frozenset
    tries: int

    @property
    def few(self):
        """Rounds of what varies little, or takes long."""
        return max(2, self.rounds // 3)


@dataclass
class Table:
    caption: str
    columns: tuple
    rows: list


@dataclass
class Outcome:
    """A section of the report. `facts` are a list for each server, with a value for each round."""

    title: str
    method: str
    tables: list = field(default_factory=list)
    plots: list = field(default_factory=list)
    facts: dict = field(default_factory=dict)
    others: list = field(default_factory=list)  # CPUs that others used, in each measurement
