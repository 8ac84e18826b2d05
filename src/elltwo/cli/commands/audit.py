"""``elltwo audit``: common mistakes in a network's weight decay."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from elltwo.cli.console import put, put_json
from elltwo.cli.settings import settings
from elltwo.cli.words import paragraph

HELP = """Check a network's weight decay for common mistakes.

TARGET is FILE.py:FUNCTION; the function returns (model, batch, optimizer). The file is run: use it on code
that you trust. The exit code is 1 when something should be changed.

\b
  elltwo audit train.py:build
  elltwo audit train.py:build --steps 100000
"""


@settings("audit", HELP)
@click.argument("target")
@click.option("--steps", type=int, help="Steps of the whole run: is the decay too weak or too strong for it?")
def command(target: str, steps: int | None, as_json: bool) -> None:
    """See HELP."""
    from elltwo.cli.extras import torch_room

    findings, code = torch_room("elltwo.decay.commands").audit_command(target, steps)
    if as_json:
        put_json([asdict(f) for f in findings])
    elif not findings:
        put("nothing to change")
    else:
        marks = {"error": "!!", "warning": "! ", "info": "- "}
        for f in findings:
            put("\n".join(paragraph(f"{marks[f.severity]} {f.code}: {f.sentence} {f.remedy}", "", "   ")))
    if code:
        sys.stdout.flush()
        raise click.exceptions.Exit(code)
