"""``elltwo predict``: new rows through a saved model, with the plan of the training table."""

from __future__ import annotations

import csv
import io
import os
from typing import TYPE_CHECKING, Any

import click

from elltwo.cli.console import progress, put_json, say
from elltwo.cli.settings import settings
from elltwo.errors import DataError

if TYPE_CHECKING:
    import numpy as np

HELP = """Predict new rows with a saved model.

The training table's plan is used: columns are found by name in any order,
levels that training did not know are said, a missing column or a value of the
wrong type is an error that names it.

\b
  elltwo predict houses.json new.csv -o predicted.csv
  elltwo predict houses.json new.parquet --keep id > predicted.csv
"""


def predictions(model: Any, X: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of the result: one per target; for classes their scores and the class."""
    import numpy as np

    scores = np.column_stack([X @ np.array(out.coef) + out.intercept for out in model.outputs])
    names = [out.name for out in model.outputs]
    if not model.classes:
        if len(names) == 1:
            return {"prediction": scores[:, 0]}
        return {f"prediction {n}": scores[:, t] for t, n in enumerate(names)}
    index = (scores[:, 0] > 0).astype(int) if len(names) == 1 else scores.argmax(axis=1)
    return {f"score {n}": scores[:, t] for t, n in enumerate(names)} | {
        "prediction": np.asarray(model.classes, dtype=object)[index]
    }


def _kept(table: Any, keep: tuple[str, ...]) -> dict[str, list[Any]]:
    from elltwo.tables.source import require_column

    for name in keep:
        require_column(name, table.names, table.name, "--keep")
    return {name: table.arrow.column(name).to_pylist() for name in keep}


def _csv(columns: dict[str, Any]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    lists = [c.tolist() if hasattr(c, "tolist") else c for c in columns.values()]
    writer.writerows(zip(*lists, strict=True))  # csv writes a float by repr: it returns bit for bit
    return out.getvalue()


def _bytes(columns: dict[str, Any], place: str) -> bytes:
    """CSV, or Parquet where the name asks for it."""
    if not place.lower().endswith((".parquet", ".pq")):
        return _csv(columns).encode("utf-8")
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({n: pa.array(list(c)) for n, c in columns.items()}), sink)
    return sink.getvalue().to_pybytes()


@settings("predict", HELP)
@click.argument("model")
@click.argument("data")
@click.option("--output", "-o", metavar="FILE", help="Write here (.csv or .parquet), not to stdout.")
@click.option("--keep", multiple=True, metavar="COL", help="Copy this column beside the predictions.")
@click.option("--encoding", default="utf-8", show_default=True, help="Encoding of text files.")
@click.option("--quiet", "-q", is_flag=True, help="No messages.")
def command(
    model: str,
    data: str,
    output: str | None,
    keep: tuple[str, ...],
    encoding: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """See HELP."""
    from elltwo.cli.checking import check_encoding
    from elltwo.cli.commands.fit import check_places
    from elltwo.reporting.export import load_model
    from elltwo.tables.encode import design
    from elltwo.tables.read import read_planned

    check_places(output)
    check_encoding(encoding)
    fitted = load_model(model)
    with progress(f"reading {os.path.basename(data)}", quiet):
        table = read_planned(data, fitted.plan, extra=keep, encoding=encoding)
        made = design(table, fitted.plan, fit=False)
    if not len(made.X):
        raise DataError(f"{table.name} has no rows to predict")
    columns = _kept(table, keep) | predictions(fitted, made.X)
    if not quiet:
        for note in made.notes:
            say(f"note: {note}")
    _write(columns, output, as_json)
    if output and not quiet:
        say(f"{len(made.X):,} predictions written to {output}")


def _write(columns: dict[str, Any], output: str | None, as_json: bool) -> None:
    from elltwo.cli.console import put
    from elltwo.tables.files import atomic_write

    if output:
        atomic_write(output, _bytes(columns, output))
    if as_json:
        put_json({name: list(values) for name, values in columns.items()})
    elif not output:
        put(_csv(columns))
