"""Where a run is, on stderr: one line that changes on a terminal, a line a part elsewhere."""

import shutil
import sys
import time


class Progress:
    def __init__(self):
        self._live = sys.stderr.isatty()
        self._part = ""
        self._began = time.monotonic()

    def part(self, name):
        """A part begins."""
        self.clear()
        self._part = name
        if not self._live:
            print(f"bench: {name}", file=sys.stderr, flush=True)

    def __call__(self, text):
        """What it does now."""
        if self._live:
            minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
            line = f"{minutes}:{seconds:02} {self._part}: {text}"
            width = shutil.get_terminal_size().columns
            print(f"\r\033[K{line[:width - 1]}", end="", file=sys.stderr, flush=True)

    def clear(self):
        if self._live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
