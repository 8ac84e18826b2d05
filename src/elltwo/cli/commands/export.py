"""``elltwo export``: a saved model for other programs."""

from __future__ import annotations

import click

from elltwo.cli.console import put, say
from elltwo.cli.settings import settings
from elltwo.errors import UsageError

HELP = """Turn a saved model into SQL, Python, ONNX or scikit-learn.

\b
  elltwo export houses.json --to sql --table listings
  elltwo export houses.json --to python -o houses.py
  elltwo export houses.json --to onnx -o houses.onnx
  elltwo export houses.json --to sklearn -o houses.pickle

SQL and Python go to stdout unless -o is given. A pickle can run code when it is loaded: share the JSON
model, SQL or ONNX instead where you can.
"""


def _content(model: str, kind: str, table: str) -> str | bytes:
    from elltwo.reporting.export import load_model

    fitted = load_model(model)
    if kind == "sql":
        from elltwo.reporting.export.sql import to_sql

        return to_sql(fitted, table)
    if kind == "python":
        from elltwo.reporting.export.python_source import to_python

        return to_python(fitted)
    if kind == "onnx":
        from elltwo.reporting.export.onnx_graph import to_onnx

        return to_onnx(fitted)
    import pickle

    from elltwo.reporting.export.scikit import to_sklearn

    return pickle.dumps(to_sklearn(fitted))


@settings("export", HELP)
@click.argument("model")
@click.option(
    "--to",
    "kind",
    required=True,
    type=click.Choice(["sql", "python", "onnx", "sklearn"]),
    help="Form wanted.",
)
@click.option("--table", default="data", show_default=True, help="Table that the SQL reads.")
@click.option("--output", "-o", metavar="FILE", help="Write here.")
def command(model: str, kind: str, table: str, output: str | None, as_json: bool) -> None:
    """See HELP."""
    from elltwo.cli.commands.fit import check_places
    from elltwo.tables.files import atomic_write

    check_places(output)
    if output is None and kind in ("onnx", "sklearn"):
        raise UsageError(f"an {kind} file is binary: say where it goes with -o FILE")
    content = _content(model, kind, table)
    if output is None:
        assert isinstance(content, str)
        put(content)
        return
    atomic_write(output, content)
    say(f"{kind} written to {output}")
