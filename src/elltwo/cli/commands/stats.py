"""``elltwo stats``: files, or a share of them, reduced to moments that merge."""

from __future__ import annotations

from typing import Any

import click

from elltwo.cli.checking import check_pass, check_table
from elltwo.cli.commands.fit import FEATURE, check_places
from elltwo.cli.console import put_json, say
from elltwo.cli.settings import settings
from elltwo.cli.watching import telling, watching

HELP = """Reduce a table of any size, or a shard of it, to its moments.

One pass, memory that does not grow with the rows. What is written is enough to choose the strength, fit and
cross-validate; shards and new data merge (elltwo merge), and elltwo fit reads the result.

\b
  elltwo stats 'part-*.parquet' -t y --shard 3/16 -o 3.moments
  elltwo merge *.moments -o all.moments
  elltwo fit all.moments -t y
"""


@settings("stats", HELP)
@click.argument("files", nargs=-1, required=True)
@click.option("--output", "-o", required=True, metavar="FILE.moments", help="Where the moments go.")
@click.option("--target", "-t", multiple=True, metavar="COL", help="Rows that miss it are left out.")
@click.option("--shard", "shard_of", metavar="I/N", help="Only the I-th of N shares of the files.")
@click.option("--folds", default=5, show_default=True, help="Folds for cross-validation.")
@click.option("--ordered", is_flag=True, help="Folds are runs of rows, for data in time order.")
@click.option("--seed", default=0, show_default=True, help="Which random folds.")
@click.option("--weights", metavar="COL", help="Column of row weights.")
@click.option("--group", metavar="COL", help="Rows of one group stay in one fold.")
@click.option("--fold-column", metavar="COL", help="Column that says which fold a row is in.")
@click.option("--categorical", multiple=True, metavar="COL", help="A column of numbers that are names.")
@click.option("--date", multiple=True, metavar="COL=USE", help="Use a date: ordinal (days) or parts.")
@click.option("--drop", multiple=True, metavar="COL", help="Leave a column out.")
@click.option("--na", multiple=True, metavar="TEXT", help="One more spelling of a missing value.")
@FEATURE
@click.option(
    "--max-levels", type=click.IntRange(min=2), metavar="N", default=1000, show_default=True,
    help="Levels of a category that get a column.",
)  # fmt: skip
@click.option(
    "--on-error",
    type=click.Choice(["stop", "retype"]),
    default="stop",
    show_default=True,
    help="Text in a column of numbers: stop, or begin again with it as a category.",
)
@click.option("--memory-limit", metavar="SIZE", help="Refuse a pass that needs more, e.g. 4GB.")
@click.option("--encoding", default="utf-8", show_default=True, help="Encoding of text files.")
@click.option("--threads", type=int, help="Parts read at a time.  [default: one per core]")
@click.option("--dask", metavar="ADDRESS", help="Scheduler of a Dask cluster.")
@click.option("--workers", default=0, help="Dask processes on this machine.")
@click.option("--restart", is_flag=True, help="Do not take up an unfinished pass.")
@click.option("--quiet", "-q", is_flag=True, help="No messages.")
def command(
    files: tuple[str, ...], output: str, target: tuple[str, ...], date: tuple[str, ...], ordered: bool,
    restart: bool, quiet: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """See HELP."""
    from elltwo.cli.reading import date_uses
    from elltwo.scale.commands import stats_command

    check_places(output)
    asked = options | {"target": target, "date": date}
    check_table(asked)
    check_pass(asked)
    quiet = quiet or as_json
    with watching(quiet) as watch:
        made = stats_command(
            list(files), output, target=list(target) or None, contiguous=ordered, dates=date_uses(date) or None,
            resume=not restart, say=telling(quiet), watch=watch, **options,
        )  # fmt: skip
    if as_json:
        put_json({"output": output, "absent": made.absent()})
    elif not quiet:
        say(f"moments written to {output}")
