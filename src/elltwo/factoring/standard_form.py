"""Standard form: turn ‖L(x − x0)‖ into ‖y‖, and what L cannot see into free directions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from elltwo.errors import InputError
from elltwo.facts.problem import Penalty


@dataclass(frozen=True)
class StandardForm:
    """x = P y + N γ with ‖L x‖ = ‖y‖ and L N = 0.

    Attributes
    ----------
    p : number of coefficients.
    columns : (k0,) penalised columns, or None for all; used with ``scale``.
    scale : (k0,) or None; P = E diag(1/scale), E the selected columns of the identity.
    matrix : (p, k0) or None: P itself, for a general L.
    null : (p, q) N.
    """

    p: int
    columns: np.ndarray | None
    scale: np.ndarray | None
    matrix: np.ndarray | None
    null: np.ndarray

    @property
    def size(self) -> int:
        """k0, number of penalised coordinates."""
        if self.matrix is not None:
            return self.matrix.shape[1]
        return self.p if self.columns is None else self.columns.size

    @property
    def diagonal(self) -> np.ndarray | None:
        """(p,) diagonal of L with zeros for free columns, or None for the identity or a general L."""
        if self.matrix is not None or self.scale is None:
            return None
        out = np.zeros(self.p)
        out[slice(None) if self.columns is None else self.columns] = self.scale
        return out

    def of_columns(self, M: np.ndarray) -> np.ndarray:
        """M P for M (..., p)."""
        if self.matrix is not None:
            return M @ self.matrix
        M = M if self.columns is None else M[..., self.columns]
        return M if self.scale is None else M / self.scale

    def of_gram(self, G: np.ndarray) -> np.ndarray:
        """PᵀGP for G (p, p)."""
        return self.of_columns(self.of_columns(G).T)

    def lift(self, y: np.ndarray) -> np.ndarray:
        """P y for y (k0, m)."""
        if self.matrix is not None:
            return self.matrix @ y
        y = y if self.scale is None else y / self.scale[:, None]
        if self.columns is None:
            return y
        out = np.zeros((self.p, *y.shape[1:]))
        out[self.columns] = y
        return out


def standard_form(penalty: Penalty, p: int, sd: np.ndarray | None = None) -> StandardForm:
    """Standard form of a penalty on p coefficients (Eldén 1977; Hansen, Discrete Inverse Problems, §8.1).

    ``sd`` (p,) are the column standard deviations that ``penalty.standardize`` asks for. A constant
    column (sd 0) under standardization gets no coefficient at all.
    """
    scale, live = _column_scale(penalty, p, sd)
    if penalty.operator is not None:
        return _general(np.asarray(penalty.operator, dtype=float), scale, live)
    if scale is None:
        return StandardForm(p, None, None, None, np.zeros((p, 0)))
    penalised = np.flatnonzero((scale > 0) & live)
    free = np.flatnonzero((scale == 0) & live)
    columns = None if penalised.size == p else penalised
    return StandardForm(p, columns, scale[penalised], None, np.eye(p)[:, free])


def _column_scale(penalty: Penalty, p: int, sd: np.ndarray | None) -> tuple[np.ndarray | None, np.ndarray]:
    scale = None if penalty.scale is None else np.asarray(penalty.scale, dtype=float)
    if scale is not None and (scale.shape != (p,) or not np.all(np.isfinite(scale)) or np.any(scale < 0)):
        raise InputError(f"a strength per column needs {p} finite numbers >= 0, got shape {scale.shape}")
    live = np.ones(p, dtype=bool)
    if penalty.standardize:
        if sd is None:
            raise InputError("standardize needs the column standard deviations, which were not computed")
        live = sd > 0
        scale = np.where(live, sd, 1.0) * (1.0 if scale is None else scale)
    return scale, live


def _general(L: np.ndarray, scale: np.ndarray | None, live: np.ndarray) -> StandardForm:
    """P = L⁺, N = null(L), of L diag(scale)."""
    if L.ndim != 2 or L.shape[1] != live.size:
        raise InputError(f"L needs shape (m, {live.size}), got {L.shape}")
    if scale is not None:
        L = L * np.where(live, scale, 0.0)
    _, s, Vt = np.linalg.svd(L, full_matrices=True)
    tolerance = max(L.shape) * np.finfo(float).eps * (s[0] if s.size else 0.0)
    rank = int(np.sum(s > tolerance))
    null = Vt[rank:].T
    if not live.all():  # a dead column is in the null space of L; it must get no coefficient
        null = null[:, ~np.any(np.abs(null[~live]) > 0.5, axis=0)]
    return StandardForm(live.size, None, None, Vt[:rank].T / s[:rank], null)
