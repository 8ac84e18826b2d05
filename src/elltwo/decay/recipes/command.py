"""What ``elltwo recipe`` does: flags in, text or plain data out. No torch here."""

from __future__ import annotations

import textwrap
from itertools import starmap
from typing import Any

from elltwo.decay.recipes.published import PUBLISHED, published_recipe
from elltwo.decay.recipes.recipe import Recipe
from elltwo.errors import UsageError

__all__ = ["recipe_command"]

_SETTINGS = (
    "optimizer",
    "lr",
    "weight_decay",
    "batch",
    "samples",
    "epochs",
    "schedule",
    "warmup",
    "final",
    "momentum",
)
_MOVES = ("lr", "batch", "samples", "epochs", "width", "optimizer")


def recipe_command(
    *, published: str | None = None, hold: str = "epochs", json: bool = False, **options: Any
) -> str | dict[str, Any]:
    """Answer for a recipe, and for where it is carried.

    Parameters
    ----------
    published : str, optional
        Name of a ready-made recipe to start from; ``"list"`` lists them.
    hold : str
        ``"epochs"`` or ``"run"``: what the timescale is kept in when the data change.
    json : bool
        Return plain data instead of text.
    options : ``optimizer``, ``lr``, ``weight_decay``, ``batch``, ``samples``, ``epochs``, ``schedule``, ``warmup``,
        ``final``, ``momentum``, and the same with ``to_`` in front for the run to carry it to, plus
        ``to_width``. None means not given.

    Raises
    ------
    UsageError
        For an option that does not exist, or when a setting is missing.
    """
    if published == "list":
        names = {name: recipe.source for name, recipe in PUBLISHED.items()}
        return {"published": names} if json else "\n".join(starmap(_listed, names.items()))
    given = {k: v for k, v in options.items() if v is not None}
    unknown = [k for k in given if k not in _SETTINGS and k not in {f"to_{m}" for m in _MOVES}]
    if unknown:
        raise UsageError(
            f"recipe has no option {unknown[0]!r}: it knows {', '.join(_SETTINGS)} and to_ forms"
        )
    before = _start(published, {k: v for k, v in given.items() if k in _SETTINGS})
    moves = {m: given[f"to_{m}"] for m in _MOVES if f"to_{m}" in given}
    after = before.to(**moves, hold=hold) if moves else None
    if json:
        return {"recipe": before.to_dict(), "carried": after.to_dict() if after else None}
    return str(before) if after is None else f"{before}\n\nCarried to\n\n{after}"


def _listed(name: str, source: str) -> str:
    return textwrap.fill(
        source, 79, initial_indent=f"{name:<20}", subsequent_indent=" " * 20, break_on_hyphens=False
    )


def _start(published: str | None, settings: dict[str, Any]) -> Recipe:
    if published is not None:
        base = published_recipe(published)
        if settings:
            raise UsageError(
                f"--published {published} already sets {', '.join(settings)}: use the --to-… options to move from it"
            )
        return base
    missing = [k for k in ("lr", "weight_decay", "batch", "samples") if k not in settings]
    if missing:
        raise UsageError(
            f"a recipe needs {', '.join(missing)} too: for example --lr 3e-4 --weight-decay 0.1 --batch 512 "
            "--samples 1e6 --epochs 90, or start from --published NAME"
        )
    return Recipe(**settings)
