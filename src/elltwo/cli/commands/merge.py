"""``elltwo merge``: moments of shards, or of old and new data, added up."""

from __future__ import annotations

import click

from elltwo.cli.console import put_json, say
from elltwo.cli.settings import settings

HELP = """Add up moments: the shards of one table, or new data to old.

\b
  elltwo merge shard-*.moments -o all.moments
  elltwo fit all.moments -t y
"""


@settings("merge", HELP)
@click.argument("files", nargs=-1, required=True)
@click.option("--output", "-o", required=True, metavar="FILE.moments", help="Where the sum goes.")
@click.option("--quiet", "-q", is_flag=True, help="No messages.")
def command(files: tuple[str, ...], output: str, quiet: bool, as_json: bool) -> None:
    """See HELP."""
    from elltwo.cli.commands.fit import check_places
    from elltwo.scale.commands import merge_command

    check_places(output)
    made = merge_command(files, output)
    absent = made.absent()
    if as_json:
        put_json({"output": output, "absent": absent})
    elif not quiet:
        say(f"{len(files)} files merged into {output}")
        for gone in absent.values():
            say(f"note: {len(gone)} parts are still missing; merge their moments too before you fit")
