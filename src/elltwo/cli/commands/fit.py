"""``elltwo fit``: a table in, a choice of strength and its explanation out."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from elltwo.cli.checking import FROM_MOMENTS, IN_MEMORY, IN_STREAM, check_fit
from elltwo.cli.console import dim, progress, put, put_json, say
from elltwo.cli.preparing import PREPARE, RECIPE, recipe_of
from elltwo.cli.settings import attach, settings
from elltwo.cli.words import flag_of
from elltwo.errors import UsageError

HELP = """Fit a ridge to a table, choose its strength, explain the result.

DATA is CSV or TSV (plain or .gz), Parquet, Arrow or Feather, - for standard input, or a .moments file.

\b
  elltwo fit houses.csv --target price
  elltwo fit houses.csv -t price -o houses.json --report houses.html
  elltwo fit visits.parquet -t bill --group patient --rule kfold --folds 10
  elltwo fit mail.csv -t spam --task classify --alpha 10
"""


class Alpha(click.ParamType):
    """``auto`` or a number >= 0."""

    name = "NUMBER|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """None for auto."""
        if value is None or isinstance(value, float):
            return value
        if str(value) == "auto":
            return None
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor 'auto'", param, ctx)
        if not number >= 0:
            self.fail(f"a strength is a number >= 0, got {value}: 0 is none, inf the mean alone", param, ctx)
        return number


TABLE = (
    click.option(
        "--target", "-t", multiple=True, metavar="COL", help="Column to predict (may be given again)."
    ),
    click.option(
        "--task",
        type=click.Choice(["regress", "classify"]),
        default="regress",
        show_default=True,
        help="Predict a number, or a class.",
    ),
    click.option("--weights", metavar="COL", help="Column of row weights."),
    click.option("--group", metavar="COL", help="Rows of one group stay in one fold."),
    click.option("--fold-column", metavar="COL", help="Column that says which fold a row is in."),
    click.option("--categorical", multiple=True, metavar="COL", help="A column of numbers that are names."),
    click.option("--date", multiple=True, metavar="COL=USE", help="Use a date: ordinal (days) or parts."),
    click.option("--drop", multiple=True, metavar="COL", help="Leave a column out."),
    click.option("--na", multiple=True, metavar="TEXT", help="One more spelling of a missing value."),
    click.option(
        "--on-error",
        type=click.Choice(["stop", "retype"]),
        default="stop",
        show_default=True,
        help="Text in a column of numbers: stop, or begin again with it as a category.",
    ),
    click.option("--encoding", default="utf-8", show_default=True, help="Encoding of text files."),
)
FEATURE = click.option(
    "--feature", "features", multiple=True, metavar="KIND:COL",
    help="Make a column: square:A, power:A:3, product:A:B, log:A, spline:A:5 (in a stream).",
)  # fmt: skip
STRENGTH = (
    click.option("--alpha", type=Alpha(), metavar="NUMBER|auto", default="auto", show_default=True,
                 help="The strength λ."),
    click.option("--rule", default="auto", show_default=True,
                 help="How λ is chosen: loo, kfold, gcv, rgcv, evidence, mallows, aicc; auto is loo up to two million "
                      "numbers, kfold beyond. A stream takes a second pass for loo."),
    click.option("--one-se", is_flag=True, help="The strongest λ within one standard error of the best."),
    click.option("--folds", default=5, show_default=True, help="Parts for K-fold and for the honest error."),
    click.option("--ordered", is_flag=True, help="Folds are runs of rows, for data in time order."),
    click.option("--standardize/--no-standardize", default=True, show_default=True,
                 help="Penalize columns divided by their standard deviation."),
    click.option("--seed", default=0, show_default=True, help="Which random folds."),
)  # fmt: skip

STREAM = (
    click.option("--stream/--no-stream", default=None,
                 help="One pass in little memory; the default for files too large for it."),
    click.option("--solver", type=click.Choice(["gram", "qr"]), default="gram", show_default=True,
                 help="qr: a second pass, for strengths near zero (streams only)."),
    click.option("--threads", type=int, help="Parts read at a time (streams only).  [default: one per core]"),
    click.option("--dask", metavar="ADDRESS", help="Stream on a Dask cluster."),
    click.option("--workers", default=0, help="Stream on so many Dask processes here."),
    click.option("--memory-limit", metavar="SIZE", help="Refuse a stream that needs more, e.g. 4GB."),
    click.option("--second-pass", is_flag=True,
                 help="Read a stream again for leverages and residuals (--rule loo does)."),
)  # fmt: skip


def check_places(*places: str | None) -> None:
    """Before any work: refuse an output whose folder cannot take it."""
    for place in filter(None, places):
        if Path(place).is_dir():
            raise UsageError(f"cannot write {place}: it is a folder; name a file in it")
        folder = Path(place).resolve().parent
        if not folder.is_dir():
            raise UsageError(f"cannot write {place}: its folder does not exist; make it first")
        if not os.access(folder, os.W_OK) and not Path(place).exists():
            raise UsageError(f"cannot write {place}: its folder may not be written to; choose another")


def reproduce(data: str, params: dict[str, Any]) -> str:
    """The command line that makes the same fit."""
    words = ["elltwo", "fit", data]
    for name, value in params.items():
        flag = flag_of(name)
        if name in ("standardize", "indicators"):
            words += [] if value else [f"--no-{name}"]
        elif isinstance(value, bool):
            words += [flag] if value else []
        elif isinstance(value, (tuple, list)):
            words += [w for v in value for w in (flag, str(v))]
        elif value is not None and (name, value) not in DEFAULTS:
            words += [flag, repr(value) if isinstance(value, float) else str(value)]
    return shlex.join(words)


DEFAULTS = {("rule", "auto"), ("folds", 5), ("seed", 0), ("task", "regress"), ("encoding", "utf-8"), ("solver", "gram"),
            ("workers", 0), ("on_error", "stop"), ("missing_level", "column"),
            ("min_count", 0.0)}  # fmt: skip
# Options of STREAM and FEATURE: how a pass goes, and what only a pass makes.
RUNNING = ("stream", "solver", "threads", "dask", "workers", "memory_limit", "second_pass", "features")


def split_options(params: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the table, and options of the fit."""
    wishes = ("alpha", "rule", "one_se", "folds", "ordered", "standardize", "seed")
    table = {k: v for k, v in params.items() if k not in (*wishes, *RUNNING, *RECIPE)}
    return table | {"recipe": recipe_of(params)}, {k: params[k] for k in wishes}


def run_fit(data: str, params: dict[str, Any], *, quiet: bool = False) -> tuple[Any, Any]:
    """Read, plan, fit; the facts and the model. Shared by ``fit`` and ``demo``."""
    from elltwo.cli.building import build_model
    from elltwo.cli.fitting_moments import is_moments
    from elltwo.cli.fitting_stream import wants_stream
    from elltwo.cli.reports import collected

    route = FROM_MOMENTS if is_moments(data) else IN_STREAM if wants_stream(data, params) else IN_MEMORY
    check_fit(params, route)
    one = {FROM_MOMENTS: _fit_moments, IN_STREAM: _fit_stream, IN_MEMORY: _fit_rows}[route]
    fitted = one(data, params, quiet)
    command_line = reproduce(data, params)
    how = {"source": fitted.loaded.name, "command": command_line, **_fingerprint(data)}
    how |= {"seed": str(params["seed"]), "folds": str(fitted.parts)}
    with progress("collecting the report", quiet):
        report = collected(fitted, command_line)
    return fitted, build_model(fitted, how, report)


def _fit_rows(data: str, params: dict[str, Any], quiet: bool) -> Any:
    """From a table in memory."""
    from elltwo.cli.fitting import Asked, fit
    from elltwo.cli.reading import load

    table, wishes = split_options(params)
    targets = table.pop("target")
    with progress(f"reading {os.path.basename(data)}", quiet):
        loaded = load(data, targets if len(targets) > 1 else targets[0], **table)
    _say_plan(loaded.plan, len(loaded.X), quiet)
    with progress("choosing the strength", quiet):
        return fit(loaded, Asked(**wishes))


def _fit_stream(data: str, params: dict[str, Any], quiet: bool) -> Any:
    """From files in one pass, in memory that does not grow with them."""
    from elltwo.cli.fitting import Asked
    from elltwo.cli.fitting_stream import fit_stream

    table, wishes = split_options(params)
    targets = table.pop("target")
    run = {n: params[n] for n in RUNNING if n != "stream"}
    fitted = fit_stream(data, targets, table, Asked(**wishes), run, quiet)
    _say_plan(fitted.loaded.plan, fitted.rows, quiet)
    return fitted


def _fit_moments(data: str, params: dict[str, Any], quiet: bool) -> Any:
    """From moments that elltwo stats made."""
    from elltwo.cli.fitting import Asked
    from elltwo.cli.fitting_moments import fit_moments_file

    table, wishes = split_options(params)
    with progress("choosing the strength", quiet):
        fitted = fit_moments_file(
            data, table.pop("target"), table | {n: params.get(n) for n in RUNNING}, Asked(**wishes)
        )
    _say_plan(fitted.loaded.plan, fitted.rows, quiet)
    return fitted


def _say_plan(plan: Any, rows: int, quiet: bool) -> None:
    from elltwo.cli.reading import plan_text

    if not quiet:
        say(dim(plan_text(plan, rows), sys.stderr) + "\n")


def _fingerprint(data: str) -> dict[str, str]:
    """Size and time of the file, so that a later reader knows whether it is still the same."""
    path = Path(data)
    if not path.is_file():
        return {}
    status = path.stat()
    return {"source_bytes": str(status.st_size), "source_mtime_ns": str(status.st_mtime_ns)}


@settings("fit", HELP)
@click.argument("data")
@attach(TABLE, "The table")
@attach((*PREPARE, FEATURE), "What becomes of columns")
@attach(STRENGTH, "The strength")
@attach(STREAM, "Large tables")
@click.option("--output", "-o", metavar="MODEL.json", help="Write the model here.")
@click.option("--report", metavar="FILE.html", help="Write the HTML report here.")
@click.option("--quiet", "-q", is_flag=True, help="No messages, only the result.")
def command(
    data: str, output: str | None, report: str | None, quiet: bool, as_json: bool, **params: Any
) -> None:
    """See HELP."""
    check_places(output, report)
    fitted, model = run_fit(data, params, quiet=quiet or as_json)
    if as_json:
        from elltwo.cli.building import result_dict

        put_json(result_dict(fitted, model))
    else:
        from elltwo.cli.summary import summary

        put(summary(fitted))
    write_outputs(model, output, report, quiet or as_json)


def write_outputs(model: Any, output: str | None, report: str | None, quiet: bool) -> None:
    """The model file and the report, each whole or not at all."""
    if output:
        from elltwo.reporting.export import save_model

        save_model(model, output)
    if report:
        from elltwo.cli.reports import write_report

        write_report(model, report)
    if not quiet:
        for what, place in (("model", output), ("report", report)):
            if place:
                say(f"\n{what} written to {place}")
