"""The reference pages that are printed from the program itself: ``python -m elltwo.cli.pages``.

A test compares them with what stands under ``docs/reference``; when it fails, run this again.
"""

from __future__ import annotations

import sys
from pathlib import Path

HEAD = """\
# Conventions: what a λ multiplies

*Printed from the program: `python -m elltwo.cli.pages`.*

Every program that fits a ridge has one number for its strength, and hardly two mean the same by it.
elltwo carries any of them to one canonical λ and from there to any other:

    Σᵢ sᵢ (yᵢ − b − xᵢ'w)² + λ ‖w‖²      b free, sᵢ the sample weights (1 without)
    Σᵢ sᵢ lossᵢ + λ/2 ‖w‖²               for a likelihood

`RSS` below is that first sum. "On standardized columns" means the penalty is λ Σⱼ sdⱼ² wⱼ² in terms of
the columns as they came; sd is the population standard deviation (1/n), weighted when there are weights.
Such a λ and a raw one are converted into each other only with the columns at hand.

```python
from elltwo import convert

convert(0.1, "glmnet(standardize=FALSE)", "sklearn.Ridge", n=100, sd_y=2.0)   # 5.0
convert(0.01, "torch.weight_decay", "sklearn.Ridge", n=5000)                  # 25.0
convert(0.5, "sklearn.LogisticRegression", "glmnet(family='binomial', standardize=FALSE)", n=200)  # 0.01
```

The same at a terminal:

    elltwo convert 0.1 --from "glmnet(standardize=FALSE)" --to sklearn.Ridge --n 100 --sd-y 2

What cannot be converted says why: two different losses, columns scaled differently without the columns,
a fact that is missing, AdamW. Where two programs treat the intercept differently a warning says so: the
number alone then does not make the fits equal.

"""


def _row(row: object) -> str:
    from elltwo.laws.conventions import Convention

    assert isinstance(row, Convention)
    lines = [f"## `{row.name}`\n", f"- minimises: {row.objective}", f"- λ = {row.total}"]
    if row.columns == "any":
        lines.append("- columns: those of the other convention")
    lines.append(
        f"- loss: {row.loss}; intercept: {row.intercept}"
        + ("; one number per column" if row.per_column else "")
    )
    if row.needs:
        lines.append("- needs: " + ", ".join(f"`{fact}=`" for fact in row.needs))
    if row.aliases:
        lines.append("- also called: " + ", ".join(f"`{alias}`" for alias in row.aliases))
    if row.note:
        lines.append(f"- note: {row.note}")
    if row.refusal:
        lines.append(f"- not convertible: {row.refusal}")
    lines.append(f"- checked: {row.checked}")
    return "\n".join(lines) + "\n"


def conventions_page() -> str:
    """``docs/reference/conventions.md``, from the dictionary."""
    from elltwo.laws.conventions import CONVENTIONS

    return HEAD + "\n".join(_row(row) for row in CONVENTIONS.values())


def write(folder: Path) -> list[Path]:
    """Write all pages into ``folder``; the paths written."""
    pages = {"conventions.md": conventions_page()}
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in pages]


if __name__ == "__main__":
    for path in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference")):
        sys.stderr.write(f"wrote {path}\n")
