"""docs/speed.md and the README's table of peers, written from the figures in benchmarks/out."""

from __future__ import annotations

import csv
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUT = Path(__file__).parent / "out"

HEAD = """# Speed

One thread, CPU seconds (user + system), medians of runs taken in turn. A *bound* is the BLAS/LAPACK calls that the job
cannot avoid, on the same arrays, in the same run; a *peer* is another library on the same arrays. Trust the ratios, not
the seconds. Made by `make bench`; a claim that did not hold in that run says MISSED.
"""


def rows(path: Path) -> list[dict[str, str]]:
    """The claims of one CSV."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def line(row: dict[str, str]) -> str:
    """One claim as a row of the table."""
    verdict = row["verdict"].replace("MISSED", "**MISSED**")
    figures = f"{float(row['seconds']):.3g} | {float(row['other']):.3g} | {float(row['ratio']):.3g}"
    return f"| {row['job']} | {row['what']} | {figures} | {row['claim']} | {verdict} |"


def said(ratio: float) -> str:
    """Three figures, and no power of ten."""
    return f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"


def page() -> str:
    """docs/speed.md."""
    parts = [HEAD]
    for path in sorted(OUT.glob("*.csv")):
        parts += [
            f"## {path.stem}",
            "",
            "| job | claim | elltwo | other | ratio | target | |",
            "|---|---|---|---|---|---|---|",
        ]
        parts += [*map(line, rows(path)), ""]
    return "\n".join(parts)


def peers() -> str:
    """The README's table: what a peer costs beside elltwo."""
    out = [
        "## Beside its peers",
        "",
        "Each row measured in one run, on one thread ([all figures](docs/speed.md), [digits](docs/accuracy.md)):",
        "",
        "| job | comparison | times faster |",
        "|---|---|---|",
    ]
    for name in ("ridge", "kernels"):
        path = OUT / f"{name}.csv"
        for row in rows(path) if path.exists() else ():
            if row["kind"] == "at least" and "not seconds" not in row["what"]:
                out.append(f"| {row['job']} | {row['what']} | {said(float(row['ratio']))} |")
    return "\n".join(out)


def write() -> None:
    """Write both, leaving the rest of the README alone."""
    (ROOT / "docs" / "speed.md").write_text(page())
    readme = ROOT / "README.md"
    block = f"<!-- peers -->\n{peers()}\n<!-- /peers -->"
    readme.write_text(
        re.sub(r"<!-- peers -->.*<!-- /peers -->", lambda _: block, readme.read_text(), flags=re.DOTALL)
    )


if __name__ == "__main__":
    write()
