"""Exact leave-one-out over every λ, from one pass over the row side.

The residual of row i left out is rᵢ/(1 − hᵢ) (Allen 1974; Golub, Heath & Wahba 1979, eq. 2.1) with
rᵢ = rest_i + Σⱼ(1 − fⱼ)uᵢⱼzⱼ and 1 − hᵢ = base_i + Σⱼ(1 − fⱼ)uᵢⱼ². As functions of λ both lie in the span
of λ/(s² + λ), a Cauchy matrix of numerical rank about a dozen however many λ are asked for, so rows
meet a small basis first and λ only afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from elltwo.errors import MissingRows
from elltwo.facts.rotated import Rotated
from elltwo.laws.ridge import leftover

RANK_TOLERANCE = 1e-13
FEW = 8  # targets up to which the basis of λ pays


@dataclass(frozen=True)
class LooScore:
    """Mean squared leave-one-out error and its standard error over rows, both (L, t)."""

    mean: np.ndarray
    error: np.ndarray


@dataclass(frozen=True)
class Basis:
    """leftover(s, alphas) ≈ left @ right: left (k, r) meets the rows, right (r, L) the strengths."""

    left: np.ndarray
    right: np.ndarray


@dataclass(frozen=True)
class LooSums:
    """Σ w e² and Σ w e⁴ over some rows of leave-one-out residuals e, both (L, t); sums of parts add up."""

    square: np.ndarray
    fourth: np.ndarray

    def __add__(self, other: LooSums) -> LooSums:
        return LooSums(self.square + other.square, self.fourth + other.fourth)

    def score(self, weight: float, rows: int) -> LooScore:
        """Mean and standard error over all rows, of weight Σw."""
        mean = self.square / weight
        with np.errstate(
            invalid="ignore"
        ):  # a row that alone decides its fit (leverage 1) has an infinite error
            spread = np.maximum(self.fourth / weight - mean**2, 0.0)
        return LooScore(mean, np.sqrt(spread / rows))


def loo(r: Rotated, alphas: np.ndarray) -> LooScore:
    """Weighted mean squared leave-one-out error for each λ (L,) and target.

    At λ = 0 with n ≤ p both rᵢ and 1 − hᵢ vanish; their ratio's limit is used.

    Raises
    ------
    MissingRows : the Spectrum has no row side.
    """
    if r.spectrum.rows is None or r.b is None:
        raise MissingRows(
            "leave-one-out needs the rows, and only moments were kept: choose gcv, rgcv, evidence or kfold"
        )
    F = loo_factors(r, np.asarray(alphas, dtype=float))
    return loo_sums(r, F, compress(F)).score(r.spectrum.weight, r.spectrum.shape[0])


def loo_sums(r: Rotated, F: np.ndarray, basis: Basis) -> LooSums:
    """Sums over the rows that r has: all of them, or a block of a stream's. F (k, L) from `loo_factors`."""
    square, fourth = np.zeros((F.shape[1], r.targets)), np.zeros((F.shape[1], r.targets))
    for rows, strengths, targets, errors in _ratios(r, F, basis):
        if r.spectrum.root is not None:  # a row of weight 0 has neither residual nor say
            errors[r.spectrum.root[rows] == 0] = 0.0
        errors *= errors
        square[strengths, targets] += errors.sum(axis=0)
        if r.spectrum.root is not None:
            errors /= np.maximum(r.spectrum.root[rows], 1e-150)[:, None, None]
        fourth[strengths, targets] += np.einsum("ijk,ijk->jk", errors, errors)
    return LooSums(square, fourth)


def loo_residuals(r: Rotated, alpha: np.ndarray) -> np.ndarray:
    """(n, t) leave-one-out residuals bᵢ − b̂₍₋ᵢ₎ at one λ per target (t,), in the units of b."""
    assert r.spectrum.rows is not None
    out = np.empty((r.spectrum.rows.n, r.targets))
    F = loo_factors(r, np.broadcast_to(np.asarray(alpha, dtype=float), (r.targets,)))
    for rows, strengths, targets, ratio in _ratios(r, F, compress(F)):
        which = range(r.targets)[targets] if r.targets <= FEW else range(r.targets)[strengths]
        for j in which:
            out[rows, j] = ratio[:, j, 0] if r.targets <= FEW else ratio[:, 0, j]
    root = r.spectrum.root
    return (
        out
        if root is None
        else np.divide(out, root[:, None], out=np.zeros_like(out), where=root[:, None] > 0)
    )


def leverages(r: Rotated, alpha: float) -> np.ndarray:
    """(n,) diagonal of the hat matrix at λ: free part + Σ f u²."""
    assert r.spectrum.rows is not None
    if alpha == 0 and r.spectrum.full_row_rank:
        return np.ones(r.spectrum.rows.n)
    F = leftover(r.spectrum.s, np.array([alpha]))
    return np.concatenate([1.0 - block.denominator[:, 0] for block in _blocks(r, compress(F))])


def compress(F: np.ndarray) -> Basis:
    """Low-rank factors of F (k, L) to RANK_TOLERANCE, by pivoted QR; F itself when it is small."""
    if min(F.shape) <= 16:
        return Basis(F, np.eye(F.shape[1])) if F.shape[1] <= F.shape[0] else Basis(np.eye(F.shape[0]), F)
    Q, R, pivot = linalg.qr(F, mode="economic", pivoting=True, check_finite=False)
    diagonal = np.abs(np.diagonal(R))
    rank = max(1, int(np.sum(diagonal > RANK_TOLERANCE * diagonal[0])))
    right = np.empty((rank, F.shape[1]))
    right[:, pivot] = R[:rank]
    return Basis(np.ascontiguousarray(Q[:, :rank]), right)


def loo_factors(r: Rotated, a: np.ndarray) -> np.ndarray:
    """(k, L) 1 − f, or its direction 1/s² at λ = 0 where the rows are interpolated.

    With full row rank the ratio rᵢ/(1 − hᵢ) does not change when column L is scaled, so each column
    is scaled to a largest entry of one: that keeps tiny λ as accurate as large ones.
    """
    F = leftover(r.spectrum.s, a)
    if not r.spectrum.full_row_rank or not F.shape[0]:
        return F
    F = np.where(a == 0, 1.0 / r.spectrum.s[:, None] ** 2, F)
    return F / F.max(axis=0)


@dataclass(frozen=True)
class _Block:
    """A block of rows: U (m, k), 1 − h at each λ (m, L), and what no λ reaches (m, t)."""

    rows: slice
    U: np.ndarray
    denominator: np.ndarray
    outside: np.ndarray | None


def _blocks(r: Rotated, basis: Basis) -> Iterator[_Block]:
    assert r.spectrum.rows is not None
    assert r.b is not None
    summed = np.column_stack([basis.left, np.ones(basis.left.shape[0])])  # the last column adds up Σ u²
    for rows, U, Q in r.spectrum.rows.blocks():
        small = (U * U) @ summed
        outside = None
        if r.spectrum.full_row_rank:
            denominator = small[:, :-1] @ basis.right
        else:
            base = 1.0 - _constant(r, rows) - np.einsum("ij,ij->i", Q, Q) - small[:, -1]
            small[:, -1] = np.maximum(base, 0.0)
            denominator = small @ _with_ones(basis.right)
            outside = r.b[rows] - Q @ r.free - U @ r.z
        yield _Block(rows, U, denominator, outside)


def _with_ones(right: np.ndarray) -> np.ndarray:
    """One more row, of ones: what no λ reaches is added by the product itself."""
    return np.vstack([right, np.ones(right.shape[1])])


def _constant(r: Rotated, rows: slice) -> np.ndarray | float:
    """Leverage of the constant: wᵢ/Σw."""
    if not r.spectrum.free.intercept:
        return 0.0
    return (1.0 if r.spectrum.root is None else r.spectrum.root[rows] ** 2) / r.spectrum.weight


def _ratios(r: Rotated, F: np.ndarray, basis: Basis) -> Iterator[tuple[slice, slice, slice, np.ndarray]]:
    """Yield (rows, λ, targets, √w × leave-one-out residuals (m, L, t)) in pieces that fit in cache.

    Few targets share the low-rank basis of λ; for many, each λ is one product of its own.
    """
    for block in _blocks(r, basis):
        if r.targets <= FEW:
            for j in range(r.targets):
                piece = _numerator(block, basis, r.z, j)
                yield _ratio(block, slice(None), slice(j, j + 1), piece[:, :, None])
        else:
            for i in range(F.shape[1]):
                piece = block.U @ (F[:, i, None] * r.z)
                if block.outside is not None:
                    piece += block.outside
                yield _ratio(block, slice(i, i + 1), slice(None), piece[:, None, :])


def _numerator(block: _Block, basis: Basis, z: np.ndarray, j: int) -> np.ndarray:
    """(m, L) residuals of target j at every λ."""
    small = block.U @ (basis.left * z[:, j, None])
    if block.outside is None:
        return small @ basis.right
    return np.column_stack([small, block.outside[:, j]]) @ _with_ones(basis.right)


def _ratio(
    block: _Block, strengths: slice, targets: slice, numerator: np.ndarray
) -> tuple[slice, slice, slice, np.ndarray]:
    with np.errstate(divide="ignore", invalid="ignore"):
        numerator /= block.denominator[:, strengths, None]
    return block.rows, strengths, targets, numerator
