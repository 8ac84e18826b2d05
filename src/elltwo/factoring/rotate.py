"""Meet a Spectrum with new targets; nothing is factored again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from elltwo.errors import InputError, MissingRows
from elltwo.factoring.centre import centre_targets
from elltwo.factoring.svd import rotate_dense
from elltwo.facts.problem import Problem
from elltwo.facts.rotated import Rotated
from elltwo.facts.spectrum import DenseRows, Spectrum


def rotate(spectrum: Spectrum, b: np.ndarray) -> Rotated:
    """Coordinates z = Uᵀb of targets b (n,) or (n, t) in a Spectrum that has rows.

    A prior mean is not subtracted here: pass b − A x0 (see `without_prior`).

    Raises
    ------
    MissingRows : the Spectrum came from moments and has no rows.
    InputError : b has another number of rows.
    """
    if spectrum.rows is None:
        raise MissingRows(
            "rotate needs the rows, and this spectrum was made from moments: keep the targets in the moments"
        )
    b = np.asarray(b, dtype=float).reshape(len(b), -1)
    if b.shape[0] != spectrum.rows.n:
        raise InputError(f"the targets need {spectrum.rows.n} rows like the design, got {b.shape[0]}")
    weights = None if spectrum.root is None else spectrum.root**2
    centred, mean = centre_targets(b, weights, spectrum.free.intercept)
    if isinstance(spectrum.rows, DenseRows):
        return rotate_dense(spectrum, centred, mean)
    return _rotate_blocks(spectrum, centred, mean)


def _rotate_blocks(spectrum: Spectrum, b: np.ndarray, mean: np.ndarray) -> Rotated:
    assert spectrum.rows is not None
    z = np.zeros((spectrum.s.size, b.shape[1]))
    free = np.zeros((spectrum.free.T.shape[1], b.shape[1]))
    for rows, U, Q in spectrum.rows.blocks():
        z += U.T @ b[rows]
        free += Q.T @ b[rows]
    total = np.maximum(np.einsum("ij,ij->j", b, b) - np.einsum("ij,ij->j", free, free), 0.0)
    rest = np.maximum(total - np.einsum("ij,ij->j", z, z), 0.0) * (0.0 if spectrum.full_row_rank else 1.0)
    return Rotated(spectrum, z, free, mean, rest, total, b)


def without_prior(problem: Problem) -> Problem:
    """The same problem with b − A x0 for targets; ``penalty.x0`` stays, to be added back."""
    x0 = problem.penalty.x0
    return problem if x0 is None else replace(problem, b=problem.b - image(problem.A, x0, problem.b.shape[1]))


def image(A: Any, x0: np.ndarray, targets: int) -> np.ndarray:
    """(n, t) A x0 for x0 (p,) or (p, t)."""
    x0 = np.asarray(x0, dtype=float)
    if x0.shape[0] != A.shape[1] or (x0.ndim == 2 and x0.shape[1] not in (1, targets)):
        raise InputError(
            f"the prior mean needs shape ({A.shape[1]},) or ({A.shape[1]}, {targets}), got {x0.shape}"
        )
    return np.asarray(A @ x0).reshape(A.shape[0], -1)
