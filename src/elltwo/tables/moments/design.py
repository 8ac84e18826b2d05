"""The map T from stored columns to design columns, made from training rows: imputing, encoding, standardizing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from elltwo.errors import DataError
from elltwo.tables.moments.coding import Coding, coding
from elltwo.tables.moments.mixed import MixedMoments
from elltwo.tables.moments.recipe import Feature, Recipe, Source

CONSTANT = 1e-13  # a spread below this fraction of the mean is rounding, not data


@dataclass(frozen=True)
class DesignMap:
    """Design columns as linear combinations of the stored ones: design row = Tᵀu.

    Attributes
    ----------
    T : (P, p) sparse; a column without entries is one that training rows never use.
    features : p descriptions, in order.
    shift : (p,) added to a stored, shifted column to give the design column.
    impute : number column name -> the value that replaces missing ones.
    codings : category name -> where its levels went.
    """

    T: sparse.csc_array
    features: tuple[Feature, ...]
    shift: np.ndarray
    impute: dict[str, float]
    codings: dict[str, Coding] = field(default_factory=dict)

    @property
    def live(self) -> np.ndarray:
        """(p,) which columns training rows use at all."""
        return np.diff(self.T.indptr) > 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.features)


def design_map(m: MixedMoments, G: np.ndarray, recipe: Recipe, sources: Sequence[Source]) -> DesignMap:
    """T from the assembled moments G (P, P) of training rows, or from their first row (P,) if nothing is standardized.

    Raises
    ------
    DataError
        No weight in the training rows.
    """
    if not G.flat[0] > 0:
        raise DataError("a training fold has no rows (or no weight): use fewer folds")
    build = _Builder(m, G, recipe)
    for source in sources:
        if source.name not in recipe.drop:
            build.add(source)
    return build.result()


def is_fixed(m: MixedMoments, recipe: Recipe) -> bool:
    """Does T say the same whatever the training rows are: is nothing filled in, coded or divided by its spread?"""
    return not m.flagged and not m.categories and recipe.standardize == "none"


class _Builder:
    """Entries of T, column by column."""

    def __init__(self, m: MixedMoments, G: np.ndarray, recipe: Recipe) -> None:
        self.m, self.G, self.recipe = m, G, recipe
        self.first = G if G.ndim == 1 else G[0]  # Σ w u, which is all that most steps read
        self._sums = self.first.tolist()  # plain numbers: these are looked up for every column of every fold
        self._flags = {j: 1 + len(m.numeric) + i for i, j in enumerate(m.flagged)}
        self.entries: list[dict[int, float]] = []
        self.features: list[Feature] = []
        self.shift: list[float] = []
        self.impute: dict[str, float] = {}
        self.codings: dict[str, Coding] = {}

    def add(self, source: Source) -> None:
        if source.category is not None:
            self._category(source, source.category)
            return
        for j in source.numbers:
            self._number(source, j)
        flags = [self._flags[j] for j in source.numbers if j in self._flags]
        if flags and self.recipe.indicators and source.indicator:
            used = {flags[0]: 1.0} if self._sums[flags[0]] > 0 else {}
            self._column(used, Feature(f"{source.name} missing", source.name, "missing"))

    def _column(self, entries: dict[int, float], feature: Feature, shift: float = 0.0) -> None:
        self.entries.append(entries)
        self.features.append(feature)
        self.shift.append(shift)

    def _number(self, source: Source, j: int) -> None:
        name, c, flag, x = self.m.numeric[j], float(self.m.shift[j]), self._flags.get(j, 0), 1 + j
        missing = self._sums[flag] if flag else 0.0
        present = self._sums[0] - missing
        fill = "mean" if source.mean_only else self.recipe.fill(name)
        mean = self._sums[x] / present if present > 0 else 0.0
        step = mean if isinstance(fill, str) else float(fill) - c
        self.impute[name] = c + step
        entries = {x: 1.0, flag: step} if flag else {x: 1.0}
        self._column(entries, Feature(name, source.name, "number"), c)

    def _category(self, source: Source, category: int) -> None:
        start, levels = self.m.starts[category], self.m.levels[category]
        weight = self.first[start : self.m.starts[category + 1]]
        coded = coding(source, levels.labels, bool(levels.folded), weight, self.recipe)
        self.codings[source.name] = coded
        slots: dict[object, list[int]] = {}
        for slot, goal in enumerate(coded.goals):
            slots.setdefault(goal, []).append(slot)
        for column, feature in zip(coded.columns, coded.features(source.name), strict=True):
            at = slots.get(column, [])
            used = weight[at].sum() > 0  # then slots that only held-out rows fill belong to it as well
            self._column({start + slot: 1.0 for slot in at} if used else {}, feature)

    def result(self) -> DesignMap:
        counts = [len(e) for e in self.entries]
        rows = [i for e in self.entries for i in e]
        values = np.array([v for e in self.entries for v in e.values()])
        indptr = np.concatenate([[0], np.cumsum(counts, dtype=np.intp)]).astype(np.intp)
        T = sparse.csc_array(
            (values, np.array(rows, dtype=np.intp), indptr), shape=(self.first.size, len(counts))
        )
        shift = np.array(self.shift)
        scale = self._scale(T, shift)
        T = sparse.csc_array(T @ sparse.diags_array(1.0 / scale)) if np.any(scale != 1.0) else T
        return DesignMap(T, tuple(self.features), shift / scale, self.impute, self.codings)

    def _scale(self, T: sparse.csc_array, shift: np.ndarray) -> np.ndarray:
        """Standard deviations of the columns that the recipe standardizes, 1 elsewhere."""
        scale = np.ones(T.shape[1])
        if self.recipe.standardize == "none":
            return scale
        weight = self.G[0, 0]
        mean = T.T @ self.G[:, 0] / weight
        square = np.asarray((T.T @ self.G) @ T)[range(T.shape[1]), range(T.shape[1])] / weight
        sd = np.sqrt(np.maximum(square - mean**2, 0.0))
        chosen = [self.recipe.standardize == "all" or f.role == "number" for f in self.features]
        use = np.array(chosen, dtype=bool) & (sd > CONSTANT * np.abs(mean + shift))
        return np.where(use, sd, 1.0)
