"""``elltwo report``: the HTML page of a saved model."""

from __future__ import annotations

from pathlib import Path

import click

from elltwo.cli.console import put_json, say
from elltwo.cli.settings import settings

HELP = """Write the HTML report of a saved model.

\b
  elltwo report houses.json                    writes houses.html
  elltwo report houses.json -o report.html
  elltwo report houses.json --json             prints the report's facts
"""


@settings("report", HELP)
@click.argument("model")
@click.option("--output", "-o", metavar="FILE.html", help="Where to (default: the model's name with .html).")
def command(model: str, output: str | None, as_json: bool) -> None:
    """See HELP."""
    from elltwo.cli.commands.fit import check_places
    from elltwo.cli.reports import write_report
    from elltwo.reporting.export import load_model

    check_places(output)
    fitted = load_model(model)
    if as_json:
        put_json(fitted.report)
        if output is None:
            return
    place = output or str(Path(model).with_suffix(".html"))
    write_report(fitted, place)
    say(f"report written to {place}")
