"""``elltwo plan``: which weights of a network should decay, and why."""

from __future__ import annotations

import click

from elltwo.cli.console import put, put_json, say
from elltwo.cli.settings import settings

HELP = """Show which weights of a network should decay, one row per parameter with the reason.

TARGET is FILE.py:FUNCTION. The function takes nothing and returns a model, or (model, batch), or
(model, batch, optimizer). The file is run: use it on code that you trust.

\b
  elltwo plan train.py:build
  elltwo plan train.py:build --html plan.html
"""


@settings("plan", HELP)
@click.argument("target")
@click.option("--policy", default="standard", show_default=True, help="Which policy decides.")
@click.option("--weight-decay", default=0.1, show_default=True, help="Decay of the weights that decay.")
@click.option("--html", metavar="FILE.html", help="Write the plan as a page.")
def command(target: str, policy: str, weight_decay: float, html: str | None, as_json: bool) -> None:
    """See HELP."""
    from elltwo.cli.commands.fit import check_places
    from elltwo.cli.extras import torch_room

    check_places(html)
    commands = torch_room("elltwo.decay.commands")
    plan = commands.plan_command(target, policy, weight_decay)
    put_json(plan.to_dict()) if as_json else put(plan.table())
    if html:
        from elltwo.reporting.decay_plan import write_plan

        write_plan(plan, html)
        say(f"plan written to {html}")
