"""Markdown tables whose source is aligned as well."""


def markdown(columns, rows):
    """Columns are their titles; all but the first are numbers, and stand at the right."""
    texts = [list(columns), *([str(cell) for cell in row] for row in rows)]
    widths = [max(3, *(len(row[at]) for row in texts)) for at in range(len(columns))]

    def line(row):
        cells = [
            text.ljust(width) if at == 0 else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths))
        ]
        return "| " + " | ".join(cells) + " |"

    rule = [
        "-" * width if at == 0 else "-" * (width - 1) + ":" for at, width in enumerate(widths)
    ]
    return "\n".join([line(texts[0]), line(rule), *map(line, texts[1:])]) + "\n"


def number(value, digits=0):
    """A number for a cell; nothing is "-"."""
    if value is None or value != value:
        return "-"
    if value == float("inf"):
        return "inf"
    return f"{value:,.{digits}f}"


def around(spread, digits=2):
    """The quartiles of a Spread."""
    return "-" if spread is None else f"{spread.low:,.{digits}f} to {spread.high:,.{digits}f}"
