"""Options that cannot be, refused before a table is looked at: reading one may take an hour."""

from __future__ import annotations

import codecs
from typing import Any

import click

from elltwo.cli.preparing import recipe_of
from elltwo.errors import UsageError

IN_MEMORY, IN_STREAM, FROM_MOMENTS = "memory", "stream", "moments"


def check_fit(params: dict[str, Any], route: str) -> None:
    """Everything that can be known of the options of ``fit`` without the table.

    Parameters
    ----------
    params : options by name; those that are not there are taken to be right.
    route : where the rows are: IN_MEMORY, IN_STREAM or FROM_MOMENTS.

    Raises
    ------
    UsageError
        The first option that cannot be.
    """
    if route != FROM_MOMENTS and not params.get("target"):
        raise click.UsageError("say which column to predict: --target COL")
    check_rule(params, route)
    recipe_of(params)
    check_table(params)
    check_engine(params)
    if route == IN_MEMORY and params.get("folds", 5) < 2:
        raise UsageError(f"--folds must be at least 2, got {params['folds']}")
    if route == IN_STREAM:
        check_pass(params)


def check_rule(params: dict[str, Any], route: str) -> None:
    """A rule that exists, needs nothing that a terminal cannot give, and has a standard error if that is asked for."""
    from elltwo.selecting.registry import RULES, find_rule

    name = params.get("rule") or "auto"
    if name == "auto" or params.get("alpha") is not None:
        if name != "auto":
            find_rule(name)
        return
    rule = find_rule(name)
    if "known noise" in rule.needs:
        others = ", ".join(r.name for r in RULES.values() if "known noise" not in r.needs)
        raise UsageError(f"--rule {name} needs the noise level, which the terminal is not told: use {others}")
    if route != IN_MEMORY and "rows" in rule.needs and rule.name != "loo":
        others = ", ".join(r.name for r in RULES.values() if not r.needs & {"rows", "known noise"})
        raise UsageError(f"--rule {name} needs the rows in memory: use {others}, or --rule loo of a stream")
    if params.get("one_se") and not rule.needs & {"rows", "folds"}:
        raise UsageError(f"--one-se needs a standard error, and {rule.name!r} has none: use loo or kfold")


def check_table(params: dict[str, Any]) -> None:
    """Columns that play one part each, dates that are used in a known way, an encoding that there is."""
    from elltwo.cli.reading import date_uses
    from elltwo.tables.plan import check_roles

    helpers = {name: params.get(name) for name in ("weights", "group", "fold_column")}
    check_roles(params.get("target") or (), **helpers, drop=params.get("drop") or ())
    if helpers["group"] and helpers["fold_column"]:
        raise UsageError("--group and --fold-column both say which fold a row is in: give one of them")
    date_uses(params.get("date") or ())
    check_encoding(params.get("encoding") or "utf-8")


def check_encoding(name: str) -> None:
    """An encoding of text that there is."""
    try:
        codecs.lookup(name)
    except LookupError:
        raise UsageError(f"--encoding {name}: no encoding has that name; try utf-8 or latin-1") from None


def check_engine(params: dict[str, Any]) -> None:
    """So many threads and processes as there can be."""
    if params.get("threads") is None and not params.get("workers"):
        return  # a table in memory needs nothing of scale
    from elltwo.scale.passes.running import Engine

    Engine(threads=params.get("threads"), workers=params.get("workers") or 0)


def check_pass(params: dict[str, Any]) -> None:
    """What a pass is told: folds, threads, workers, memory, features to make, a share of the files."""
    from elltwo.scale.jobs.arithmetic import parse_bytes
    from elltwo.scale.passes.running import parse_shard
    from elltwo.tables.columns.derived import check_form
    from elltwo.tables.moments.foldrule import FoldRule

    FoldRule("hash", params.get("folds", 5))
    check_engine(params)
    if params.get("memory_limit"):
        parse_bytes(params["memory_limit"])
    for text in params.get("features") or ():
        check_form(text)
    if params.get("shard_of"):
        number, of = parse_shard(params["shard_of"])
        if not 1 <= number <= of:
            raise UsageError(f"--shard {number}/{of}: the first number goes from 1 to {of}")
