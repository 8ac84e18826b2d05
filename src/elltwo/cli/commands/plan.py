"""``elltwo plan``: which weights of a network should decay, and why."""

from __future__ import annotations

import click

from elltwo.cli.console import put, put_json, say
from elltwo.cli.settings import settings
from elltwo.errors import UsageError

HELP = """Show which weights of a network should decay, one row per parameter with the reason.

TARGET is FILE.py:FUNCTION. The function takes nothing and returns a model, or (model, batch), or
(model, batch, optimizer). The file is run: use it on code that you trust.

\b
  elltwo plan train.py:build
  elltwo plan train.py:build --html plan.html
  elltwo plan train.py:build --override "*.bias=0.01" --override "head.*=0"
"""


@settings("plan", HELP)
@click.argument("target")
@click.option("--policy", default="standard", show_default=True, help="Which policy decides.")
@click.option("--weight-decay", default=0.1, show_default=True, help="Decay of the weights that decay.")
@click.option(
    "--invariant",
    default="decay",
    show_default=True,
    help="What to do with scale-invariant weights: decay, exempt or corrected.",
)
@click.option("--override", metavar="GLOB=DECAY", multiple=True, help="Set the decay of matching names.")
@click.option("--html", metavar="FILE.html", help="Write the plan as a page.")
def command(
    target: str,
    policy: str,
    weight_decay: float,
    invariant: str,
    override: tuple[str, ...],
    html: str | None,
    as_json: bool,
) -> None:
    """See HELP."""
    from elltwo.cli.commands.fit import check_places
    from elltwo.cli.extras import torch_room

    check_places(html)
    commands = torch_room("elltwo.decay.commands")
    plan = commands.plan_command(
        target, policy=policy, weight_decay=weight_decay, invariant=invariant, overrides=_strengths(override)
    )
    put_json(plan.to_dict()) if as_json else put(plan.table())
    if html:
        from elltwo.reporting.decay_plan import write_plan

        write_plan(plan, html)
        say(f"plan written to {html}")


def _strengths(overrides: tuple[str, ...]) -> dict[str, float]:
    found = {}
    for text in overrides:
        pattern, _, value = text.rpartition("=")
        try:
            found[pattern] = float(value)
        except ValueError:
            raise UsageError(
                f"--override {text!r} is not of the form GLOB=DECAY, such as '*.bias=0'"
            ) from None
    return found
