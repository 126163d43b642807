"""Tables: drawn by rich on a terminal, lines of tab-separated cells everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows under their titles; prints nothing where there are none."""
    if not rows:
        return
    if not sys.stdout.isatty():
        print("\t".join(titles))  # noqa: T201
        for row in rows:
            print("\t".join(_one_line(cell) for cell in row).rstrip())  # noqa: T201
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_one_line(cell)) for cell in row))
    Console().print(table)


def _one_line(text: str) -> str:
    return " ".join(text.split())
