"""What the checks look at: one fit's facts for one target, with the numbers that several checks share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from elltwo.facts.rotated import Rotated
from elltwo.facts.selection import Selection
from elltwo.facts.solution import Solution
from elltwo.selecting.loo import leverages
from elltwo.selecting.registry import RULES
from elltwo.shrinking.path import df_of

LARGEST_MAP = 2e7  # numbers in V beyond which no check asks for V as an array
MOST_COLUMNS = 1500  # columns up to which p x p quantities are formed
MOST_ROW_WORK = 2e8  # n·k up to which the rows are visited once more


@dataclass(frozen=True)
class Dependence:
    """How nearly the standardized columns depend on each other.

    Attributes
    ----------
    condition : condition number of the standardized columns, at most 1e16.
    weakest : (m,) the combination of them that varies least.
    live : (m,) which columns these are.
    """

    condition: float
    weakest: np.ndarray
    live: np.ndarray


@dataclass(frozen=True)
class View:
    """One target of one fit.

    Attributes
    ----------
    rotated, solution : the facts of the fit.
    selection : how λ was chosen, or None when it was given.
    names : column names, p of them.
    target : name of the target.
    which : column of the target among the targets.
    numbers : (n,) number of each row in the table it came from, from 1; None where all rows were used.
    """

    rotated: Rotated
    solution: Solution
    selection: Selection | None = None
    names: tuple[str, ...] = ()
    target: str = "the target"
    which: int = 0
    numbers: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        rotated: Rotated,
        solution: Solution,
        selection: Selection | None = None,
        names: Sequence[str] | None = None,
        target: str = "the target",
        which: int = 0,
        numbers: np.ndarray | None = None,
    ) -> View:
        """The same with names made up where none are given."""
        p = rotated.spectrum.shape[1]
        given = tuple(map(str, names)) if names is not None else tuple(f"column {j + 1}" for j in range(p))
        return cls(rotated, solution, selection, given, target, which, numbers)

    @property
    def alpha(self) -> float:
        """The λ of this target."""
        return float(self.solution.alpha[self.which])

    @property
    def rows(self) -> int:
        return self.rotated.spectrum.shape[0]

    @property
    def columns(self) -> int:
        return self.rotated.spectrum.shape[1]

    @property
    def s(self) -> np.ndarray:
        return self.rotated.spectrum.s

    @property
    def z(self) -> np.ndarray:
        return self.rotated.z[:, self.which]

    @property
    def coef(self) -> np.ndarray:
        return self.solution.coef[:, self.which]

    @property
    def choices(self) -> dict[str, float]:
        """The λ of the rule that decided and of those that are heard beside it, for this target."""
        if self.selection is None:
            return {}
        return {
            rule: float(alpha[self.which])
            for rule, alpha in self.selection.choices.items()
            if self.hears(rule)
        }

    def hears(self, rule: str) -> bool:
        """Did this rule decide, or does it speak beside others without being asked by name?"""
        decided = self.selection is not None and rule == self.selection.rule
        return decided or (rule in RULES and RULES[rule].heard)

    def df(self, alpha: float) -> float:
        """Degrees of freedom at another λ."""
        return float(df_of(self.rotated, np.array([alpha]))[0])

    @cached_property
    def V(self) -> np.ndarray | None:
        """(p, k) the map to coefficients as an array, or None where it would be too large."""
        if self.columns * max(self.s.size, 1) > LARGEST_MAP:
            return None
        return np.asarray(self.rotated.spectrum.map.toarray())

    @cached_property
    def free_columns(self) -> np.ndarray:
        """(p,) bool: columns that carry no penalty."""
        scale = self.rotated.spectrum.scale
        dead = np.zeros(self.columns, dtype=bool)
        if scale is not None:
            return scale == 0
        T = self.rotated.spectrum.free.T
        return dead if not T.shape[1] else np.any(T != 0, axis=1) & ~np.any(self._map_rows != 0, axis=1)

    @property
    def _map_rows(self) -> np.ndarray:
        return np.ones((self.columns, 1)) if self.V is None else self.V

    @cached_property
    def dead(self) -> np.ndarray:
        """(p,) bool: columns that no direction reaches; they are constant and get the coefficient x0."""
        if self.V is None:
            return np.zeros(self.columns, dtype=bool)
        scale = self.rotated.spectrum.scale
        reach = np.max(np.abs(self.V), axis=1, initial=0.0) * (1.0 if scale is None else scale)
        T = self.rotated.spectrum.free.T
        return (reach <= 1e-13 * np.max(reach, initial=1e-300)) & ~np.any(T != 0, axis=1)

    @cached_property
    def factor(self) -> np.ndarray | None:
        """(m, p) R with RᵀR = AᶜᵀAᶜ, or None where it would be too large.

        From A V = U s and A T = Q: R = diag(s, 1) [V T]⁻¹ where those span everything, and
        s Vᵀ D² (D the diagonal of L) where the design is wide.
        """
        if self.V is None:
            return None
        spectrum = self.rotated.spectrum
        T = spectrum.free.T
        if T.shape[1] or (spectrum.scale is None and not self._orthonormal):
            if self.columns > MOST_COLUMNS:
                return None
            return np.concatenate([self.s, np.ones(T.shape[1])])[:, None] * np.linalg.pinv(
                np.hstack([self.V, T])
            )
        scale = np.ones(self.columns) if spectrum.scale is None else spectrum.scale
        return (self.V * (scale**2)[:, None] * self.s).T

    @property
    def _orthonormal(self) -> bool:
        assert self.V is not None
        some = self.V[:, :5]
        return bool(np.allclose(some.T @ some, np.eye(some.shape[1]), atol=1e-6))

    @cached_property
    def sd(self) -> np.ndarray:
        """(p,) population standard deviation of each column (root mean square without an intercept); nan if unknown."""
        if self.factor is None:
            return np.full(self.columns, np.nan)
        return np.sqrt(np.einsum("ij,ij->j", self.factor, self.factor) / self.rotated.spectrum.weight)

    @cached_property
    def correlation(self) -> np.ndarray | None:
        """(p, p) correlations of the columns (cosines without an intercept), or None."""
        if self.factor is None or self.columns > MOST_COLUMNS:
            return None
        length = np.linalg.norm(self.factor, axis=0)
        R = self.factor / np.where(length > 0, length, 1.0)
        return R.T @ R

    @cached_property
    def one_hot(self) -> tuple[np.ndarray, ...]:
        """Columns ``name=level`` of each category that is encoded in full, so that its columns add up to one.

        Their dependence is by design: the penalty settles it, and no column is to be blamed.
        """
        if self.factor is None:
            return ()
        groups: dict[str, list[int]] = {}
        for j, name in enumerate(self.names):
            if "=" in name:
                groups.setdefault(name.split("=", 1)[0], []).append(j)
        length = np.linalg.norm(self.factor, axis=0)
        return tuple(
            np.array(g)
            for g in groups.values()
            if len(g) > 1 and np.linalg.norm(self.factor[:, g].sum(axis=1)) <= 1e-9 * length[g].max()
        )

    @cached_property
    def dependence(self) -> Dependence | None:
        """Conditioning of the standardized columns, or None for one column, wide or very large tables.

        One level of each category that is encoded in full is left out.
        """
        R = self.correlation
        spare = np.zeros(self.columns, dtype=bool)
        for group in self.one_hot:
            spare[group[-1]] = True
        live = np.flatnonzero(~self.dead & (self.sd > 0) & ~spare)
        if R is None or live.size < 2 or self.columns >= self.rows:
            return None
        values, vectors = np.linalg.eigh(R[np.ix_(live, live)])
        return Dependence(float(np.sqrt(values[-1] / max(values[0], 1e-32))), vectors[:, 0], live)

    @cached_property
    def leverages(self) -> np.ndarray | None:
        """(n,) diagonal of the hat matrix at the chosen λ, or None where rows were not kept."""
        spectrum = self.rotated.spectrum
        if spectrum.rows is None or self.rotated.b is None or self.rows * max(self.s.size, 1) > MOST_ROW_WORK:
            return None
        return leverages(self.rotated, self.alpha)

    def row(self, i: int) -> str:
        """How a sentence names row i, as its table counts."""
        return f"data row {i + 1 if self.numbers is None else int(self.numbers[i])}"

    def name(self, j: int) -> str:
        """Name of column j."""
        return self.names[j]

    def listed(self, which: np.ndarray, most: int = 3) -> str:
        """'a', 'a and b', 'a, b and 5 more': names of the columns ``which``."""
        names = [self.names[j] for j in which[:most]]
        more = len(which) - len(names)
        if more:
            return f"{', '.join(names)} and {more} more"
        return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
