"""Run benchmarks: ``python -m benchmarks [NAME ...]``; a table on the terminal, a CSV per file in benchmarks/out."""

from __future__ import annotations

import csv
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import Row, speed_page

FILES = ("ridge", "kernels", "inverse", "scale", "monitor", "zoo", "startup")
OUT = Path(__file__).parent / "out"


def main(names: list[str]) -> int:
    console = Console()
    if unknown := [n for n in names if n not in FILES]:
        print(f"no benchmark named {', '.join(unknown)}: choose among {', '.join(FILES)}", file=sys.stderr)
        return 2
    for name in names or FILES:
        rows = import_module(f"benchmarks.{name}").run()
        console.print(table(name, rows))
        save(OUT / f"{name}.csv", rows)
    speed_page.write()
    return 0


def table(name: str, rows: list[Row]) -> Table:
    """One line per claim: job, ours, other, ratio, target, holds."""
    out = Table(title=name)
    for title in ("job", "claim", "elltwo s", "other s", "ratio", "target", ""):
        out.add_column(title, justify="left" if title in ("job", "claim") else "right")
    for row in rows:
        cells = (
            f"{row.seconds:.3g}",
            f"{row.other:.3g}",
            f"{row.ratio:.3g}",
            row.claim,
            row.verdict,
        )
        out.add_row(row.job, row.what, *cells)
    return out


def save(path: Path, rows: list[Row]) -> None:
    """One CSV row per claim."""
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*asdict(rows[0]), "claim", "verdict"])
        writer.writeheader()
        writer.writerows({**asdict(row), "claim": row.claim, "verdict": row.verdict} for row in rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
