"""``elltwo explain``: what fit would do with a table, and why, without doing it."""

from __future__ import annotations

import os
from typing import Any

import click

from elltwo.cli.checking import IN_MEMORY, check_rule, check_table
from elltwo.cli.commands.fit import STRENGTH, TABLE, split_options
from elltwo.cli.console import bold, progress, put, put_json
from elltwo.cli.preparing import PREPARE
from elltwo.cli.settings import attach, settings
from elltwo.cli.words import paragraph, rule_words

HELP = """Say what fit would do with a table, and why, without fitting.

Takes the options of fit, but for those of large tables and outputs. Prints the plan of the columns, the
factorization and the rule that would be used, and the reason for each.
"""


def explanation(loaded: Any, wishes: dict[str, Any]) -> dict[str, Any]:
    """The decisions as data."""
    from elltwo.cli.fitting import Asked
    from elltwo.factoring.choose import choose
    from elltwo.facts.problem import Penalty

    n, p = loaded.X.shape
    route = choose(loaded.X, Penalty(standardize=wishes["standardize"]))
    if wishes["alpha"] is None:
        rule = Asked(rule=wishes["rule"]).rule_for(n, p)
        why = f"{rule_words(rule)}; every strength is read off the one factorization"
    else:
        rule, why = "given", f"the strength {wishes['alpha']:g} was given; it is not questioned"
    return {
        "rows": n,
        "features": p,
        "factorization": route.method,
        "because": route.reason,
        "rule": rule,
        "rule_because": why,
        "penalty": "standardized columns" if wishes["standardize"] else "columns as they are",
        "folds": min(wishes["folds"], n),
        "plan": loaded.plan.to_dict(),
        "notes": list(loaded.notes),
    }


@settings("explain", HELP)
@click.argument("data")
@attach(TABLE, "The table")
@attach(PREPARE, "What becomes of columns")
@attach(STRENGTH, "The strength")
def command(data: str, as_json: bool, **params: Any) -> None:
    """See HELP."""
    from elltwo.cli.reading import load, plan_text

    check_rule(params, IN_MEMORY)
    check_table(params)
    table, wishes = split_options(params)
    targets = table.pop("target")
    with progress(f"reading {os.path.basename(data)}", as_json):
        loaded = load(data, None if not targets else targets[0] if len(targets) == 1 else targets, **table)
    found = explanation(loaded, wishes)
    if as_json:
        put_json(found)
        return
    lines = [bold("THE COLUMNS"), "  " + plan_text(loaded.plan, found["rows"]).replace("\n", "\n  ")]
    lines += ["", bold("THE FACTORIZATION"), *paragraph(f"{found['factorization']}: {found['because']}.")]
    lines += ["", bold("THE STRENGTH"), *paragraph(f"{found['rule']}: {found['rule_because']}.")]
    lines += paragraph(f"The penalty applies to {found['penalty']}.")
    lines += paragraph(f"The honest error holds out {found['folds']} parts of the rows in turn.")
    for note in loaded.notes:
        lines += paragraph(f"- {note}.", "  ", "    ")
    put("\n".join(lines))
