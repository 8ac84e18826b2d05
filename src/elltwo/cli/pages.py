"""Pages that are printed from the program itself: ``python -m elltwo.cli.pages``.

A test compares them with what stands under ``docs``; when it fails, run this again.
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


TERMINAL = """\
# Fit a table at the terminal

*Printed from the program: `python -m elltwo.cli.pages`.*

You have a table, one column of it is to be predicted from the others, and you do not want to program.
`elltwo demo` shows the whole way on a table that comes with elltwo. With your own:

    elltwo fit DATA --target COLUMN -o model.json --report report.html

## What it says

`elltwo fit hald.csv --target y` (13 cements, four ingredients, the heat they gave off) prints

```text
{fit}
```

and then what to beware of. The first block is honest: the rows that judge took no part in the fit nor in
choosing its strength. The third tells you whether regularization was worth it; here it was. The fourth
lists, by size, the columns whose 95 % interval does not hold zero.

## When it stops

It stops at the first thing that cannot be right, and says which file, line, column and value, and which
option settles it:

- codes that look like numbers: `--categorical COLUMN`
- another spelling of a missing value: `--na TEXT`
- a column that must not be used: `--drop COLUMN`
- a date: `--date COLUMN=ordinal` (days) or `--date COLUMN=parts` (year, month, day, weekday, hour)
- rows that belong together (patients, days): `--group COLUMN`, or the error looks better than it is
- rows in time order: `--ordered`

## What becomes of the columns

Numbers stay as they are, their gaps get the mean and a 0/1 column beside them; a category becomes one 0/1 column
per level, and one for its gaps. Anything else is said:

| wish | option | in scikit-learn |
|---|---|---|
| 0 in every gap; 18 in those of age | `--impute 0`, `--impute age=18` | `SimpleImputer(strategy="constant")` |
| no 0/1 columns beside numbers | `--no-indicators` | `add_indicator=False` |
| a missing category is the most frequent level; none | `--missing-level mode`, `zeros` | `strategy="most_frequent"` |
| two levels are one, old or new | `--merge town:Bern=Swiss --merge town:Genf=Swiss` | |
| a level has no column of its own | `--merge 'town:Bern=(other)'` | |
| at most 20 levels of their own, the others together | `--max-levels 20` | `max_categories=21` |
| levels on fewer than 50 rows together | `--min-count 50` | `min_frequency=50` |
| a column for every level; none for the first; none for Bern | `--reference none`, `first`, `town=Bern` | `drop` |

Each is redone on the training rows of every fold, whether the table is in memory, streamed or reduced to moments, and
stands in the model file: `predict` and every export follow it. Dates keep their means.

## New rows

    elltwo predict model.json new.csv --keep id -o predicted.csv

The columns are found by name. A level that training did not know is said and counts as none of the known
ones; a missing column or a word among numbers stops.

## Elsewhere

    elltwo export model.json --to sql --table houses     a SELECT statement
    elltwo export model.json --to python -o houses.py    a file that needs nothing but Python
    elltwo export model.json --to onnx -o houses.onnx    float64, imputation and categories included
    elltwo report model.json                             the HTML report again

The model file is JSON: read it, compare two of them, send it. Loading one never runs code.

In Python, the same file:

```python
import tempfile
from pathlib import Path

from elltwo import load_model
from elltwo.cli.main import main
from elltwo.tables.datasets import dataset

place = Path(tempfile.mkdtemp()) / "model.json"
code = main(["fit", str(dataset("hald").path), "--target", "y", "-o", str(place), "--quiet"])
model = load_model(place)
assert code == 0 and model.features == ("x1", "x2", "x3", "x4")
print(model.rule, model.strength, round(model.scores["rmse"], 2))
```

## Tables that do not fit into memory

    elltwo fit 'part-*.parquet' -t y

reads a table that would fill the memory as a stream: in one pass, on all cores, in memory that does not grow with the
rows, to the same answer. In two steps, of which the first may be done anywhere, in shards that merge:

    elltwo stats 'part-*.parquet' -t y -o all.moments
    elltwo fit all.moments -t y
"""


def fit_text() -> str:
    """What ``elltwo fit`` prints about the bundled cements, up to what to beware of."""
    from elltwo.cli.commands.demo import plain_options
    from elltwo.cli.commands.fit import run_fit
    from elltwo.cli.summary import summary
    from elltwo.tables.datasets import dataset

    item = dataset("hald")
    fitted, _ = run_fit(str(item.path), plain_options(item), quiet=True)
    return summary(fitted).split("BEWARE")[0].rstrip()


def terminal_page() -> str:
    """``docs/how-to/terminal.md``, with a fit that was made now."""
    return TERMINAL.replace("{fit}", fit_text())


PAGES = {
    "reference/conventions.md": conventions_page,
    "reference/command-line.md": command_line_page,
    "how-to/terminal.md": terminal_page,
}


def write(docs: Path) -> list[Path]:
    """Write all pages into the folder of the documentation; the paths written."""
    for name, page in PAGES.items():
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        (docs / name).write_text(page(), encoding="utf-8")
    return [docs / name for name in PAGES]


if __name__ == "__main__":
    for path in write(Path(sys.argv[1] if len(sys.argv) > 1 else "docs")):
        sys.stderr.write(f"wrote {path}\n")
