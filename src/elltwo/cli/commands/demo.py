"""``elltwo demo``: the main job on a real table that comes with the package."""

from __future__ import annotations

import sys
from typing import Any

import click

from elltwo.cli.console import bold, put, put_json, say
from elltwo.cli.settings import settings

HELP = """Fit a bundled real data set, print the result, write the report.

\b
  elltwo demo                  the default table
  elltwo demo longley          another one
  elltwo demo --list           all of them
"""
DEFAULT = "tecator"


def _list(as_json: bool) -> None:
    from elltwo.tables.datasets import bundled

    if as_json:
        put_json([{"name": d.name, "target": d.target, "about": d.about} for d in bundled()])
        return
    for item in bundled():
        put(f"{item.name:<14} {item.about}; predicts {item.target}")


@settings("demo", HELP)
@click.argument("name", required=False)
@click.option("--report", metavar="FILE.html", help="Where the report goes (default: elltwo-demo-NAME.html).")
@click.option("--output", "-o", metavar="MODEL.json", help="Write the model here.")
@click.option("--list", "list_", is_flag=True, help="List the tables.")
def command(name: str | None, report: str | None, output: str | None, list_: bool, as_json: bool) -> None:
    """See HELP."""
    if list_:
        return _list(as_json)
    from elltwo.cli.building import result_dict
    from elltwo.cli.commands.fit import check_places, run_fit, write_outputs
    from elltwo.cli.summary import summary
    from elltwo.tables.datasets import dataset

    item = dataset(name or DEFAULT)
    place = report or f"elltwo-demo-{item.name}.html"
    check_places(place, output)
    if not as_json:
        say(f"{item.name}: {item.about}\n")
    fitted, model = run_fit(str(item.path), plain_options(item), quiet=as_json)
    if as_json:
        put_json(result_dict(fitted, model))
    else:
        put(summary(fitted))
    write_outputs(model, output, place, as_json)
    if not as_json:
        say(f"\nthe same by hand:\n  {bold(model.how['command'], sys.stderr)}")
    return None


def plain_options(item: Any) -> dict[str, Any]:
    """What a plain ``elltwo fit`` would be told about this table; settings files play no part here."""
    return {
        "target": (item.target,), "task": "regress", "weights": None, "group": None, "fold_column": None,
        "categorical": (), "date": (), "drop": item.drop, "na": (), "encoding": "utf-8",
        "alpha": None, "rule": "auto", "one_se": False, "folds": 5, "ordered": False, "standardize": True, "seed": 0,
    }  # fmt: skip
