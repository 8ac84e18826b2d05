"""The object every test problem returns: what is measured, what is sought, and how to add noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from elltwo.errors import InputError


@dataclass(frozen=True)
class TestProblem:
    """A linear inverse problem whose answer is known.

    Attributes
    ----------
    name : str
        The name used in the literature.
    A : ndarray, sparse array or Operator, shape (m, n)
        The forward map.
    b : ndarray, shape (m,)
        The exact data. ``A @ x`` up to the discretization error of the problem.
    x : ndarray, shape (n,)
        The solution sought.
    source : str
        Where the problem was published.
    image_shape : tuple of int, optional
        The shape in which ``x`` is a picture.
    """

    __test__ = False  # pytest: this is not a class of tests

    name: str
    A: Any
    b: NDArray[np.float64]
    x: NDArray[np.float64]
    source: str
    image_shape: tuple[int, ...] | None = field(default=None)

    def noisy(self, level: float, seed: int = 0) -> NDArray[np.float64]:
        """Return b + e with ‖e‖ = level·‖b‖ exactly, e white and Gaussian from ``seed``.

        Raises
        ------
        InputError
            If ``level`` is negative or not finite.
        """
        if not (np.isfinite(level) and level >= 0):
            raise InputError(f"the noise level is ‖e‖/‖b‖ and must be a number ≥ 0; got {level!r}")
        e = np.random.default_rng(seed).standard_normal(self.b.shape[0])
        return self.b + level * float(np.linalg.norm(self.b) / np.linalg.norm(e)) * e

    def error(self, x: NDArray[np.float64]) -> float:
        """Return ‖x − x_true‖ / ‖x_true‖."""
        return float(np.linalg.norm(np.ravel(x) - self.x) / np.linalg.norm(self.x))


def check_size(name: str, n: int, multiple: int = 1, least: int = 2) -> int:
    """Return n, or refuse it in one sentence.

    Raises
    ------
    InputError
        If n is not an integer ≥ ``least`` divisible by ``multiple``.
    """
    if int(n) != n or n < least or n % multiple:
        kind = f"a multiple of {multiple}, " if multiple > 1 else ""
        raise InputError(f"{name} needs a size n that is {kind}at least {least}; got {n!r}")
    return int(n)
