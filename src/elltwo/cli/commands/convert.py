"""``elltwo convert``: a strength from one program's convention to another's."""

from __future__ import annotations

from typing import Any

import click

from elltwo.cli.console import bold, put, put_json, say
from elltwo.cli.settings import settings
from elltwo.errors import ConversionError

HELP = """Carry a strength from one program's convention to another's.

\b
  elltwo convert 0.1 --from glmnet --to Ridge --n 100 --sd-y 2 --standardized
  elltwo convert 0.01 --from torch.weight_decay --to total --n 5000
  elltwo convert 3.5 --from df --to Ridge --data train.csv --target y

--list names all conventions. With --data, n, sd(y) and the scales of the columns are those of the table,
as elltwo fit would read it.
"""


def _list(as_json: bool) -> None:
    from elltwo.laws.conventions import CONVENTIONS

    if as_json:
        rows = {
            n: {"objective": r.objective, "lambda": r.total, "aliases": r.aliases}
            for n, r in CONVENTIONS.items()
        }
        put_json(rows)
        return
    for name, row in CONVENTIONS.items():
        put(f"{bold(name)}\n    minimises {row.objective}\n    λ = {row.total}")


def _table(path: str, target: str | None) -> dict[str, Any]:
    """X and y of a table, read as ``elltwo fit`` would read it."""
    from elltwo.cli.reading import load

    loaded = load(path, target=target)
    return {"X": loaded.X, "y": loaded.y[:, 0] if loaded.y is not None else None, "weights": loaded.weights}


FLAGS = {
    "n= (or y=, X= or weights=)": "--n (or --data)",
    "sd_y= (or y=)": "--sd-y (or --data)",
    "sd_y= (the root mean square of y) or y=": "--sd-y (the root mean square of y) or --data",
    "X= or sd_x= (or standardized=True if": "--data (or --standardized if",
    "noise_variance=": "--noise-variance",
    "pass standardized=True": "pass --standardized",
    "give X=": "give --data",
    "give y=": "give --data and --target",
    "to='total'": "--to total",
}


def _in_flags(sentence: str) -> str:
    """The library's sentence in the words of the command line."""
    for word, flag in FLAGS.items():
        sentence = sentence.replace(word, flag)
    return sentence


@settings("convert", HELP)
@click.argument("value", type=float, required=False)
@click.option("--from", "from_", metavar="NAME", help="Convention of the number, e.g. glmnet.")
@click.option("--to", default="total", show_default=True, metavar="NAME", help="Convention wanted.")
@click.option("--n", type=float, help="Rows, or the sum of the weights.")
@click.option("--sd-y", type=float, help="Standard deviation of the response (1/n).")
@click.option("--noise-variance", type=float, help="Variance of the noise, for priors.")
@click.option("--standardized", is_flag=True, help="The columns have standard deviation 1 already.")
@click.option("--no-intercept", is_flag=True, help="The model has no intercept.")
@click.option("--data", metavar="FILE", help="Table to take n, sd(y) and the columns from.")
@click.option("--target", metavar="COL", help="Response column of --data.")
@click.option("--list", "list_", is_flag=True, help="List the conventions.")
def command(
    value: float | None, from_: str | None, to: str, data: str | None, target: str | None, list_: bool, as_json: bool,
    no_intercept: bool, **facts: Any,
) -> None:  # fmt: skip
    """See HELP."""
    if list_:
        return _list(as_json)
    if value is None or from_ is None:
        raise click.UsageError("give the number and --from NAME (elltwo convert --list shows the names)")
    from elltwo.laws.converting import conversion
    from elltwo.laws.setting import Setting

    facts["fit_intercept"] = not no_intercept
    setting = Setting.read(**(facts | (_table(data, target) if data else {})))
    try:
        done = conversion(value, from_, to, setting)
    except ConversionError as error:
        raise ConversionError(_in_flags(str(error))) from None
    if as_json:
        names = {"from": done.source.name, "to": done.target.name}
        put_json({"value": done.value, "total": done.total, **names, "remarks": done.remarks})
        return None
    number = done.value
    text = f"{number!r}" if isinstance(number, float) else "  ".join(f"{v!r}" for v in number)
    put(text)
    for remark in done.remarks:
        say(f"note: {remark}")
    return None
