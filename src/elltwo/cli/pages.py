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


COMMAND_LINE = """\
# The command line

*Printed from the program: `python -m elltwo.cli.pages`.*

Results go to stdout; messages, notes and progress go to stderr, progress and emphasis only on a terminal
(`NO_COLOR` is honoured). `-` reads a table from standard input. Files are written whole or not at all.

## Exit codes

| code | meaning |
|---|---|
| 0 | done |
| 1 | failed: disk full, no memory, a package that is not installed, a defect; `audit` found something |
| 2 | used wrongly: an option, a setting, a conversion that does not exist, an output place that cannot be |
| 3 | the data: a file, a column, a value, a model file that cannot be used |
| 130 | interrupted |

With `--json` the result is JSON on stdout and an error is JSON on stderr:
`{"error": {"code": 3, "type": "BadValue", "message": "..."}}`. An unexpected error is one sentence too;
`ELLTWO_TRACEBACK=1` shows where it came from.

## Settings

Every option is looked for in four places, the first one wins: the flag; `ELLTWO_<COMMAND>_<OPTION>`, then
`ELLTWO_<OPTION>` in the environment; a TOML file; the default. The file is the one after `--config`, else
`./elltwo.toml`, else `[tool.elltwo]` of `./pyproject.toml`. Keys at its top hold for all commands, those
under `[fit]` for `elltwo fit`; an unknown key is an error. `--show-config` prints every setting with its
origin and does nothing else.

    seed = 3

    [fit]
    target = ["price"]
    rule = "kfold"
    drop = ["id"]

"""


def help_text(*words: str) -> str:
    """What ``elltwo WORDS --help`` prints in 80 columns."""
    import io
    from contextlib import redirect_stdout

    from elltwo.cli.main import cli

    out = io.StringIO()
    with redirect_stdout(out):
        cli.main([*words, "--help"], prog_name="elltwo", standalone_mode=False, terminal_width=80)
    return out.getvalue()


def command_line_page() -> str:
    """``docs/reference/command-line.md``, from the program's own help."""
    from elltwo.cli.main import COMMANDS

    blocks = [("elltwo", help_text()), *((f"elltwo {name}", help_text(name)) for name in COMMANDS)]
    return COMMAND_LINE + "\n".join(f"## {name}\n\n```text\n{text.rstrip()}\n```\n" for name, text in blocks)


def write(folder: Path) -> list[Path]:
    """Write all pages into ``folder``; the paths written."""
    pages = {"conventions.md": conventions_page(), "command-line.md": command_line_page()}
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in pages]


if __name__ == "__main__":
    for path in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference")):
        sys.stderr.write(f"wrote {path}\n")
