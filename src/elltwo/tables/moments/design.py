"""The map T from stored columns to design columns, made from training rows: imputing, encoding, standardizing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from elltwo.errors import DataError
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
    """

    T: sparse.csc_array
    features: tuple[Feature, ...]
    shift: np.ndarray
    impute: dict[str, float]

    @property
    def live(self) -> np.ndarray:
        """(p,) which columns training rows use at all."""
        return np.diff(self.T.indptr) > 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.features)


def design_map(m: MixedMoments, G: np.ndarray, recipe: Recipe, sources: Sequence[Source]) -> DesignMap:
    """T from the assembled moments G (P, P) of training rows.

    Raises
    ------
    DataError
        No weight in the training rows.
    """
    if not G[0, 0] > 0:
        raise DataError("a training fold has no rows (or no weight): use fewer folds")
    build = _Builder(m, G, recipe)
    for source in sources:
        if source.name not in recipe.drop:
            build.add(source)
    return build.result()


class _Builder:
    """Entries of T, column by column."""

    def __init__(self, m: MixedMoments, G: np.ndarray, recipe: Recipe) -> None:
        self.m, self.G, self.recipe = m, G, recipe
        self.entries: list[dict[int, float]] = []
        self.features: list[Feature] = []
        self.shift: list[float] = []
        self.impute: dict[str, float] = {}

    def add(self, source: Source) -> None:
        if source.category is not None:
            self._category(source, source.category)
            return
        for j in source.numbers:
            self._number(source, j)
        flags = [self._flag(j) for j in source.numbers if self._flag(j)]
        if flags and self.recipe.indicators and source.indicator:
            used = {flags[0]: 1.0} if self.G[0, flags[0]] > 0 else {}
            self._column(used, Feature(f"{source.name} missing", source.name, "missing"))

    def _column(self, entries: dict[int, float], feature: Feature, shift: float = 0.0) -> None:
        self.entries.append(entries)
        self.features.append(feature)
        self.shift.append(shift)

    def _flag(self, j: int) -> int:
        """Position of column j's missing flag in u, or 0."""
        return 1 + len(self.m.numeric) + self.m.flagged.index(j) if j in self.m.flagged else 0

    def _number(self, source: Source, j: int) -> None:
        name, c, flag, x = self.m.numeric[j], self.m.shift[j], self._flag(j), 1 + j
        missing = self.G[0, flag] if flag else 0.0
        present = self.G[0, 0] - missing
        fill = self.recipe.imputes.get(name, self.recipe.impute)
        mean = self.G[0, x] / present if present > 0 else 0.0
        step = mean if isinstance(fill, str) else float(fill) - c
        self.impute[name] = c + step
        entries = {x: 1.0, flag: step} if flag else {x: 1.0}
        self._column(entries, Feature(name, source.name, "number"), c)

    def _category(self, source: Source, category: int) -> None:
        start, labels = self.m.starts[category], self.m.levels[category].labels
        weight = np.diagonal(self.G)[start : self.m.starts[category + 1]]
        target, names = self._targets(source, labels, weight)
        columns: dict[object, dict[int, float]] = {name: {} for name in names}
        for slot, goal in enumerate(target):
            if goal is not _NOWHERE and weight[slot] > 0:
                columns[goal][start + slot] = 1.0
        if self.recipe.reference == "first":
            columns[next((n for n in names if isinstance(n, str) and columns[n]), None)] = {}
        for name in names:
            if name != source.reference:
                self._column(columns[name], _level_feature(source.name, name))

    def _targets(
        self, source: Source, labels: Sequence[str | None], weight: np.ndarray
    ) -> tuple[list[object], list[object]]:
        """Which column each slot goes to, and the columns in order."""
        merge = self.recipe.merge.get(source.name, {})
        joined = [None if label is None else merge.get(label, label) for label in labels]
        heavy: dict[str, float] = {}
        for label, w in zip(joined, weight[1:], strict=True):
            if label is not None:
                heavy[label] = heavy.get(label, 0.0) + w
        kept = self._kept(heavy, source)
        missing: object = _MISSING
        if self.recipe.missing_level != "column":
            mode = min(kept, key=lambda n: (-heavy[n], n), default=_NOWHERE)
            missing = mode if self.recipe.missing_level == "mode" else _NOWHERE
        target: list[object] = [_OTHER]
        for label in joined:
            target.append(missing if label is None else label if label in kept else _OTHER)
        names: list[object] = list(sorted(heavy) if source.levels is None else source.levels)
        rare = any(w > 0 and n not in kept for n, w in heavy.items()) and source.levels is None
        capped = source.levels is None and bool(self.m.levels[source.category or 0].folded)
        names += [_OTHER] if rare or capped or source.other else []
        if None in labels and missing is _MISSING:
            names.append(_MISSING)
        known = set(names)
        return [goal if goal in known else _NOWHERE for goal in target], names

    def _kept(self, heavy: dict[str, float], source: Source) -> set[str]:
        """Levels that keep a column of their own."""
        known = heavy if source.levels is None else set(source.levels)
        alive = [n for n, w in heavy.items() if w >= self.recipe.min_count and n in known]
        if self.recipe.max_levels is not None and len(alive) > self.recipe.max_levels:
            alive = sorted(alive, key=lambda n: (-heavy[n], n))[: self.recipe.max_levels]
        return set(alive)

    def result(self) -> DesignMap:
        counts = [len(e) for e in self.entries]
        rows = [i for e in self.entries for i in e]
        values = np.array([v for e in self.entries for v in e.values()])
        indptr = np.concatenate([[0], np.cumsum(counts, dtype=np.intp)]).astype(np.intp)
        T = sparse.csc_array(
            (values, np.array(rows, dtype=np.intp), indptr), shape=(self.G.shape[0], len(counts))
        )
        shift = np.array(self.shift)
        scale = self._scale(T, shift)
        T = sparse.csc_array(T @ sparse.diags_array(1.0 / scale)) if np.any(scale != 1.0) else T
        return DesignMap(T, tuple(self.features), shift / scale, self.impute)

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


class _Slot:
    """A column of a category that is not one of its levels."""


_OTHER, _MISSING, _NOWHERE = _Slot(), _Slot(), _Slot()


def _level_feature(source: str, name: object) -> Feature:
    if name is _OTHER:
        return Feature(f"{source}=(other)", source, "other")
    if name is _MISSING:
        return Feature(f"{source} missing", source, "missing")
    return Feature(f"{source}={name}", source, "level", str(name))
