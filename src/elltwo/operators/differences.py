"""Differences, gradients and Laplacians: what ‖Lx‖ measures, and what it does not see.

The null space of L is a block of free directions, as an intercept is: no λ shrinks it.
"""

from __future__ import annotations

from functools import cached_property, reduce
from math import comb
from typing import Literal, get_args

import numpy as np
import scipy.sparse as sp

from elltwo.errors import InputError, unknown_option
from elltwo.operators.base import Operator

Edge = Literal["free", "periodic", "zero"]


class DifferenceOperator(Operator):
    """A sparse L on a grid that knows its null space and, where it has one, its symbol.

    The matrix is made when something multiplies by it; a symbol needs no matrix.

    Attributes
    ----------
    kind : ``"differences"``, ``"gradient"`` or ``"laplacian"``.
    order : int
        Of the derivative.
    image_shape : tuple of int
        The grid, in C order.
    edge : str
        ``"free"``: no condition at the edge (Neumann for the Laplacian); ``"periodic"``; ``"zero"``.
    """

    image_shape: tuple[int, ...]

    def __init__(self, rows: int, kind: str, order: int, grid: tuple[int, ...], edge: Edge) -> None:
        super().__init__((rows, int(np.prod(grid))))
        self.kind, self.order, self.image_shape, self.edge = kind, order, grid, edge

    @cached_property
    def matrix(self) -> sp.csr_array:
        """L as a sparse array."""
        grid, edge = self.image_shape, self.edge
        if self.kind == "differences":
            return _differences(grid[0], self.order, edge)
        steps = [(axis, _differences(n, 1, edge)) for axis, n in enumerate(grid) if n > 1]
        if self.kind == "gradient":
            return sp.csr_array(sp.vstack([_along(grid, axis, D) for axis, D in steps]))
        total = sp.csr_array((self.shape[1], self.shape[1]))
        for axis, D in steps:
            total = total + _along(grid, axis, D.T @ D)
        return sp.csr_array(total)

    def _forward(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(self.matrix @ x)

    def _backward(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(self.matrix.T @ y)

    @property
    def nullity(self) -> int:
        """How many directions L does not see."""
        if self.edge == "zero":
            return 0
        return self.order if self.kind == "differences" and self.edge == "free" else 1

    def null_space(self) -> np.ndarray:
        """Return an orthonormal basis (n, q) of the null space: polynomials or the constant; q may be 0."""
        size = int(np.prod(self.image_shape))
        if self.nullity > 1:
            t = np.linspace(-1.0, 1.0, size)
            return np.linalg.qr(np.vander(t, self.order, increasing=True))[0]
        return np.full((size, self.nullity), size**-0.5)

    def symbol(self, transform: str) -> np.ndarray | None:
        """Return the eigenvalues of LᵀL on the grid under ``"dct"`` (type 2) or ``"fft"``, or None.

        DᵀD of first differences is the Neumann (edge free) or periodic Laplacian, with eigenvalues
        2 − 2cos(πk/n) under the DCT-II or 2 − 2cos(2πk/n) under the FFT; axes add. A Laplacian
        squares the sum. Free differences of order two and more are not diagonal.
        """
        free_first = self.kind != "differences" or self.order == 1
        if (transform, self.edge) not in {("dct", "free"), ("fft", "periodic")}:
            return None
        if transform == "dct" and not free_first:
            return None
        period = 1.0 if transform == "dct" else 2.0
        lines = [2 - 2 * np.cos(period * np.pi * np.arange(n) / n) for n in self.image_shape]
        total = reduce(np.add.outer, lines)
        total **= self.order
        return total


def differences(n: int, order: int = 1, edge: Edge = "free") -> DifferenceOperator:
    """Return differences of any order on n points: (n − order, n), or (n, n) when periodic.

    With ``edge="zero"`` the field is zero beyond both ends: (n + order, n), no null space.

    Raises
    ------
    InputError
        If order is not a positive integer smaller than n.
    """
    _check_edge(edge)
    if int(order) != order or order < 1 or n <= order:
        raise InputError(
            f"differences need an order of at least 1 and more points than it; got order {order} on {n} points"
        )
    rows = {"free": n - order, "zero": n + order, "periodic": n}[edge]
    return DifferenceOperator(rows, "differences", order, (n,), edge)


def gradient(grid: tuple[int, ...], edge: Edge = "free") -> DifferenceOperator:
    """Return first differences along every axis of a grid, stacked."""
    _check_grid(grid, edge)
    extra = {"free": -1, "zero": 1, "periodic": 0}[edge]
    size = int(np.prod(grid))
    rows = sum(size // n * (n + extra) for n in grid if n > 1)
    return DifferenceOperator(rows, "gradient", 1, tuple(grid), edge)


def laplacian(grid: tuple[int, ...], edge: Edge = "free") -> DifferenceOperator:
    """Return the sum of second differences along every axis, Neumann where ``edge`` is free; symmetric."""
    _check_grid(grid, edge)
    return DifferenceOperator(int(np.prod(grid)), "laplacian", 2, tuple(grid), edge)


def _differences(n: int, order: int, edge: Edge) -> sp.csr_array:
    stencil = np.array([(-1.0) ** (order - k) * comb(order, k) for k in range(order + 1)])
    if edge == "free":
        return sp.csr_array(sp.diags_array(stencil, offsets=range(order + 1), shape=(n - order, n)))
    if edge == "zero":
        return sp.csr_array(sp.diags_array(stencil, offsets=range(-order, 1), shape=(n + order, n)))
    ring = sp.csr_array((np.ones(n), (np.arange(n), (np.arange(n) + 1) % n)), shape=(n, n))
    step, matrix = ring - sp.eye_array(n), sp.eye_array(n)
    for _ in range(order):
        matrix = step @ matrix
    return sp.csr_array(matrix)


def _along(grid: tuple[int, ...], axis: int, matrix: sp.csr_array) -> sp.csr_array:
    """I ⊗ M ⊗ I with M on one axis."""
    before, after = int(np.prod(grid[:axis])), int(np.prod(grid[axis + 1 :]))
    return sp.kron(sp.kron(sp.eye_array(before), matrix), sp.eye_array(after), format="csr")


def _check_edge(edge: str) -> None:
    if edge not in get_args(Edge):
        raise unknown_option("edge", edge, get_args(Edge))


def _check_grid(grid: tuple[int, ...], edge: str) -> None:
    _check_edge(edge)
    if not grid or any(int(n) != n or n < 1 for n in grid) or max(grid) < 2:
        raise InputError(f"a grid needs at least one axis with two points or more; got {tuple(grid)}")
