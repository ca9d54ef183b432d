"""What the checks share: which files there are, C++ without its comments, and how to complain.

A check is a program of its own. It looks at the repository that it lies in, or at the folder that
it is given, prints FILE:LINE: WHAT for each mistake, and exits with 1 if there is any.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()

CODE = (".h", ".hpp", ".cpp", ".c")
HEADERS = (".h", ".hpp")

# One piece of C++ at a time, so that a quote in a comment or a // in a string is no beginning. A
# number is one as well: the ' in 15'000 begins no character.
_PIECE = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
      | (?P<text>R"(?P<mark>[^(\s]*)\(.*?\)(?P=mark)" | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*')
      | (?:\b[0-9](?:'?[0-9A-Za-z.])*)""",
    re.VERBOSE | re.DOTALL,
)
_mistakes = 0


def files(*suffixes):
    """The repository's files, as paths from its root: those that git knows, and new ones."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False)
    if listed.returncode == 0 and (ROOT / ".git").exists():
        names = set(filter(None, listed.stdout.split("\0")))
    else:  # a copy without its history
        names = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*")}
        names = {name for name in names if not name.startswith(("build/", ".git/"))}
    return sorted(
        name
        for name in names
        if (ROOT / name).is_file() and (not suffixes or name.endswith(suffixes))
    )


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def code_of(text):
    """The text with blanks for its comments and for what is in quotes; every line stays a line."""

    def blank(piece):
        if piece["comment"] is None and piece["text"] is None:
            return piece[0]
        return re.sub(r"[^\n]", " ", piece[0])

    return _PIECE.sub(blank, text)


def matches(pattern, text):
    """Each match, with its line's number."""
    for match in re.finditer(pattern, text, re.MULTILINE):
        yield text.count("\n", 0, match.start()) + 1, match


def complain(name, line, what):
    global _mistakes
    _mistakes += 1
    print(f"{name}:{line}: {what}")


def finish():
    sys.exit(1 if _mistakes else 0)
