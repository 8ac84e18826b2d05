"""Tables whose rows are not here: who reduces them to moments. A backend is one line here and one file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from elltwo.facts.moments import DesignMoments


@dataclass(frozen=True)
class DesignFolds:
    """What a face needs of a table elsewhere: moments of design and targets per fold, and the columns' names.

    Attributes
    ----------
    folds : K moments about one shift; ``factoring.folds.folds_from_moments`` and, of their sum,
        ``factoring.gram.factor_moments`` take it from here.
    names : of the p columns, or None for an array.
    targets : t; ``single`` says whether y was one-dimensional.
    """

    folds: list[DesignMoments]
    names: tuple[str, ...] | None
    targets: int
    single: bool


Offer = Callable[..., DesignFolds]  # (X, y, folds, *, seed, sample_weight) -> DesignFolds

OFFERS = {
    "dask": "elltwo.scale.dask_tables:moments_of",
    "dask_expr": "elltwo.scale.dask_tables:moments_of",
    "duckdb": "elltwo.scale.relations:moments_of",
}


def offer_for(value: Any) -> Offer | None:
    """What makes moments of a table elsewhere, told by its type's package; None for whatever lies in memory."""
    place = OFFERS.get(type(value).__module__.split(".")[0])
    if place is None:
        return None
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
