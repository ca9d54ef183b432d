"""Plots as SVG: medians with their quartiles as whiskers, for light and for dark pages."""

import math
from html import escape

WIDTH = 760
LEFT, RIGHT = 200, 190  # for the labels, and for the figures
ROW, BAR = 26, 14
TOP, BOTTOM = 44, 34

STYLE = """
    text { fill: #24313f; }
    .paper { fill: #ffffff; }
    .axis { fill: #5b6b7b; font-size: 11px; }
    .title { font-size: 14px; font-weight: 600; }
    .grid { stroke: #e3e8ee; }
    .reference { stroke: #5b6b7b; stroke-dasharray: 4 3; }
    .whisker { stroke: #24313f; stroke-width: 1.4; }
    .limit { fill: #a9b4c0; }
    .clusterd { fill: #2f6fab; }
    .peer { fill: #d9a05b; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e2e8ef; }
      .paper { fill: #0f1620; }
      .axis { fill: #9fb0c1; }
      .grid { stroke: #263341; }
      .reference { stroke: #9fb0c1; }
      .whisker { stroke: #e2e8ef; }
      .limit { fill: #66727f; }
      .clusterd { fill: #5aa2e6; }
      .peer { fill: #b9803c; }
    }
"""


class Bars:
    """One row a server: a bar as long as its median or, on a logarithmic axis, a dot, since there
    a length says nothing."""

    def __init__(self, name, title, digits=2, reference=None, log=False):
        self.name = name  # of the file
        self.title = title + (" (logarithmic)" if log else "")
        self.digits = digits
        self.reference = reference  # where a line stands
        self.log = log
        self.rows = []

    def add(self, server, spread):
        if spread is not None:
            kind = server.peer if server.peer in ("limit", "clusterd") else "peer"
            self.rows.append((server.label, spread, kind))

    def svg(self):
        height = TOP + ROW * len(self.rows) + BOTTOM
        ticks = self._ticks()
        bottom = height - BOTTOM
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'font-family="system-ui, sans-serif" font-size="12.5" role="img" '
            f'aria-label="{escape(self.title)}">',
            f"  <style>{STYLE}  </style>",
            f'  <rect class="paper" width="{WIDTH}" height="{height}" rx="6"/>',
            f'  <text class="title" x="16" y="26">{escape(self.title)}</text>',
        ]
        for tick in ticks:
            x = self._x(tick, ticks)
            parts.append(_line("grid", x, TOP - 4, x, bottom))
            parts.append(
                f'  <text class="axis" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">'
                f"{self._tick_text(tick)}</text>"
            )
        for number, row in enumerate(self.rows):
            parts += self._bar(TOP + ROW * number + ROW / 2, *row, ticks)
        if self.reference:
            x = self._x(self.reference, ticks)
            parts.append(_line("reference", x, TOP - 4, x, bottom))
        return "\n".join([*parts, "</svg>"]) + "\n"

    def _bar(self, y, label, spread, kind, ticks):
        left, low, high, end = (
            self._x(value, ticks) for value in (ticks[0], spread.low, spread.high, spread.median)
        )
        figures = self._text(spread.median)
        beside = f"{self._text(spread.low)} to {self._text(spread.high)}"
        bar = (
            f'  <rect class="{kind}" x="{left:.1f}" y="{y - BAR / 2:.1f}" '
            f'width="{max(0.0, end - left):.1f}" height="{BAR}" rx="2"/>'
        )
        dot = f'  <circle class="{kind}" cx="{end:.1f}" cy="{y:.1f}" r="{BAR / 2 - 1:.1f}"/>'
        whisker = [
            _line("whisker", low, y, high, y),
            _line("whisker", low, y - 4, low, y + 4),
            _line("whisker", high, y - 4, high, y + 4),
        ]
        return [
            f'  <text x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>',
            *([*whisker, dot] if self.log else [bar, *whisker]),
            f'  <text x="{WIDTH - RIGHT + 60}" y="{y + 4:.1f}" text-anchor="end">{figures}</text>',
            f'  <text class="axis" x="{WIDTH - 10}" y="{y + 4:.1f}" text-anchor="end">'
            f"{beside}</text>",
        ]

    @staticmethod
    def _tick_text(tick):
        return f"{tick:,.0f}" if tick >= 1000 else f"{tick:g}"

    def _text(self, value):
        digits = max(0, self.digits - max(0, len(str(int(value))) - 2))
        return f"{value:,.{digits}f}"

    def _x(self, value, ticks):
        low, high = ticks[0], ticks[-1]
        if self.log:
            value, low, high = (math.log10(max(each, ticks[0])) for each in (value, low, high))
        share = (min(max(value, low), high) - low) / (high - low)
        return LEFT + share * (WIDTH - LEFT - RIGHT - 10)

    def _ticks(self):
        lows = [spread.low for _, spread, _ in self.rows] or [0]
        high = max([spread.high for _, spread, _ in self.rows] + [self.reference or 0]) or 1
        if self.log:
            first = math.floor(math.log10(max(min(lows), 1e-3)))
            last = max(math.ceil(math.log10(high)), first + 1)
            steps = (1, 2, 5) if last - first < 4 else (1,)
            ticks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
            below = max([tick for tick in ticks if tick <= min(lows)], default=ticks[0])
            above = min([tick for tick in ticks if tick >= high], default=ticks[-1])
            return [tick for tick in ticks if below <= tick <= above]
        step = _round_step(high / 5)
        return [step * number for number in range(math.ceil(high / step - 1e-9) + 1)]


def _round_step(about):
    """1, 2 or 5 times a power of ten, at least so large."""
    power = 10.0 ** math.floor(math.log10(about))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= about - 1e-12)


def _line(kind, x1, y1, x2, y2):
    return f'  <line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'
