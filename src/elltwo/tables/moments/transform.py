"""Preprocessing after the pass: every linear step on rows is a map T of the stored Gram, TᵀGT.

Imputation, indicators, standardization, one-hot encoding, merging and dropping of levels and columns
all turn a row u into Tᵀu. T is made from the moments of *training* rows and applied to those of
training and held-out rows alike, so nothing leaks and no row is read twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse

from elltwo.errors import DataError, UsageError, unknown_option
from elltwo.facts.moments import DesignMoments, Moments
from elltwo.tables.moments.dense import split
from elltwo.tables.moments.mixed import MixedMoments

CONSTANT = 1e-13  # a spread below this fraction of the mean is rounding, not data
STANDARDIZE, REFERENCE, MISSING = ("none", "numbers", "all"), ("none", "first"), ("column", "zeros", "mode")


@dataclass(frozen=True)
class Recipe:
    """What becomes of each column; each step is redone on every training fold.

    Attributes
    ----------
    impute : ``"mean"`` or a constant for missing numbers; ``imputes`` overrides it by column.
    indicators : does a 0/1 column ``name missing`` follow a number that has missing values in training?
    standardize : divide by the standard deviation (1/n): ``"none"``, ``"numbers"`` (StandardScaler on
        the number columns, after imputation, indicators left alone) or ``"all"`` columns.
    reference : ``"none"`` gives every level a column, ``"first"`` drops the first one by name.
    missing_level : a missing category gets a ``"column"``, all ``"zeros"``, or the most frequent level
        (``"mode"``).
    max_levels : keep at most so many levels of a category, the most frequent; None keeps all.
    min_count : levels lighter than this in training join ``(other)``.
    merge : by column, level -> the level it joins.
    drop : columns to leave out.
    """

    impute: str | float = "mean"
    imputes: Mapping[str, float] = field(default_factory=dict)
    indicators: bool = True
    standardize: str = "none"
    reference: str = "none"
    missing_level: str = "column"
    max_levels: int | None = None
    min_count: float = 0.0
    merge: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    drop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what, got, known in (
            ("standardize", self.standardize, STANDARDIZE),
            ("reference", self.reference, REFERENCE),
            ("missing_level", self.missing_level, MISSING),
        ):
            if got not in known:
                raise unknown_option(what, got, known)
        if isinstance(self.impute, str) and self.impute != "mean":
            raise UsageError(f"impute must be 'mean' or a number, got {self.impute!r}")


@dataclass(frozen=True)
class Source:
    """A column of the table: the numbers it puts into a row (a date may put several), or its category.

    Attributes
    ----------
    name : of the column.
    numbers : positions among the stored numbers.
    category : position among the stored categories.
    levels : the levels that get a column, in order, others joining ``(other)``; None for all, sorted.
    reference : a level that gets no column.
    other : does ``(other)`` get a column although no cap was reached?
    indicator : may a ``name missing`` column follow?
    """

    name: str
    numbers: tuple[int, ...] = ()
    category: int | None = None
    levels: tuple[str, ...] | None = None
    reference: str | None = None
    other: bool = False
    indicator: bool = True


@dataclass(frozen=True)
class Feature:
    """A column of the design. ``level`` is set for a column of a category; ``role`` says which kind."""

    name: str
    source: str
    role: str  # "number", "level", "other" or "missing"
    level: str | None = None


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


def sources_of(m: MixedMoments, leave: Sequence[str] = ()) -> tuple[Source, ...]:
    """One source per stored column, numbers first, except those to ``leave`` out (targets, helpers)."""
    numbers = [Source(n, (j,)) for j, n in enumerate(m.numeric) if n not in leave]
    return (*numbers, *(Source(n, (), c) for c, n in enumerate(m.categories) if n not in leave))


def assemble(m: MixedMoments, folds: Sequence[int] | None = None) -> np.ndarray:
    """(P, P) Σ w u uᵀ over the given folds (default all), as one symmetric matrix."""
    pick = list(range(m.folds)) if folds is None else list(folds)
    starts, D = m.starts, m.dense_width
    G = np.zeros((starts[-1], starts[-1]))
    G[:D, :D] = m.dense[pick].sum(axis=0)
    for c, table in enumerate(m.sums):
        rows = slice(starts[c], starts[c + 1])
        by_level = table[pick].sum(axis=0)
        G[rows, :D], G[:D, rows] = by_level, by_level.T
        G[range(rows.start, rows.stop), range(rows.start, rows.stop)] = by_level[:, 0]
    for (a, b), table in m.cross.items():
        A, B = slice(starts[a], starts[a + 1]), slice(starts[b], starts[b + 1])
        G[A, B] = table[pick].sum(axis=0)
        G[B, A] = G[A, B].T
    return G


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


def mapped(
    m: MixedMoments,
    G: np.ndarray,
    rows: int,
    design: DesignMap,
    targets: Sequence[int],
    keep: np.ndarray,
    relative: bool = False,
) -> DesignMoments:
    """Moments of design columns ``keep`` and of targets (positions of number columns): TᵀGT.

    G (P, P) are the assembled moments of ``rows`` rows, training or held out. ``relative`` gives those
    of x − c and y − c: their means are small numbers and lose nothing where c is 1e8 spreads away.
    """
    t = np.asarray(targets, dtype=np.intp)
    pick = sparse.csc_array((np.ones(t.size), (1 + t, np.arange(t.size))), shape=(G.shape[0], t.size))
    T = sparse.csc_array(sparse.hstack([design.T[:, np.flatnonzero(keep)], pick]))
    half = np.asarray(T.T @ G)
    shift = np.zeros(T.shape[1]) if relative else np.concatenate([design.shift[keep], m.shift[t]])
    second = np.asarray(T.T @ half.T)
    whole = Moments(rows, float(G[0, 0]), shift, half[:, 0], (second + second.T) / 2)
    p = int(keep.sum())
    return split(whole, np.arange(p), np.arange(p, p + t.size))


@dataclass(frozen=True)
class FoldDesign:
    """One fold: moments of its training rows and of its held-out rows, preprocessed by training alone."""

    train: DesignMoments
    held: DesignMoments
    design: DesignMap


def fold_design(
    m: MixedMoments,
    k: int,
    recipe: Recipe,
    sources: Sequence[Source],
    targets: Sequence[int],
    relative: bool = False,
) -> FoldDesign:
    """Preprocess with what the other folds say, and apply it to both sides; ``relative`` as in `mapped`."""
    others = [j for j in range(m.folds) if j != k]
    train, held = assemble(m, others), assemble(m, [k])
    design = design_map(m, train, recipe, sources)
    keep = design.live
    return FoldDesign(
        mapped(m, train, int(m.rows[others].sum()), design, targets, keep, relative),
        mapped(m, held, int(m.rows[k]), design, targets, keep, relative),
        design,
    )


def target_positions(m: MixedMoments, targets: Sequence[str]) -> list[int]:
    """Positions of the target columns among the numbers.

    Raises
    ------
    DataError
        A target that is not a number column, or has missing values that were not left out in the pass.
    """
    positions = []
    for name in targets:
        if name in m.categories:
            raise DataError(f"target {name!r} is a category; moments need a number as the target")
        if name not in m.numeric:
            raise DataError(f"there is no column {name!r}: these moments hold {', '.join(m.numeric[:20])}")
        j = m.numeric.index(name)
        flag = 1 + len(m.numeric) + m.flagged.index(j) if j in m.flagged else 0
        missing = float(m.dense[:, 0, flag].sum()) if flag else 0.0
        if missing > 0:
            raise DataError(
                f"target {name!r} is missing in rows that weigh {missing:g}: moments keep no rows to leave "
                f"out, so name the target before the pass (elltwo stats --target {name})"
            )
        positions.append(j)
    return positions
