"""``elltwo recipe``: a training recipe carried to another run."""

from __future__ import annotations

from typing import Any

import click

from elltwo.cli.console import put, put_json
from elltwo.cli.settings import settings

HELP = """Carry learning rate and weight decay to another training run.

\b
  elltwo recipe --lr 3e-4 --weight-decay 0.1 --batch 512 --samples 1e6 \\
      --epochs 90 --to-batch 4096
  elltwo recipe --published list
"""
NUMBERS = ("lr", "weight-decay", "batch", "samples", "epochs", "warmup", "final", "momentum")
MOVES = ("lr", "batch", "samples", "epochs", "width")


def _options(function: Any) -> Any:
    words = {"optimizer": "Optimizer of the run.", "schedule": "Schedule of the learning rate."}
    options = [
        click.option("--published", metavar="NAME", help="Start from a published recipe; list lists them.")
    ]
    options += [
        click.option(f"--{n}", type=float, help=f"{n.capitalize().replace('-', ' ')} of the run.")
        for n in NUMBERS
    ]
    options += [click.option(f"--{n}", help=text) for n, text in words.items()]
    options += [click.option(f"--to-{n}", type=float, help=f"New {n}.") for n in MOVES]
    options += [click.option("--to-optimizer", help="New optimizer.")]
    options += [
        click.option("--hold", type=click.Choice(["epochs", "run"]), default="epochs", show_default=True,
                     help="What the timescale is kept in when the data change.")
    ]  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


@settings("recipe", HELP)
@_options
def command(as_json: bool, **options: Any) -> None:
    """See HELP."""
    from elltwo.decay.recipes.command import recipe_command

    answer = recipe_command(json=as_json, **options)
    put_json(answer) if as_json else put(str(answer))
