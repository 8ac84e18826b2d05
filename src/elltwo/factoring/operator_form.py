"""Standard form of an operator problem: P as a transform, a cumulative sum or a small matrix; never formed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy import fft

from elltwo.errors import InputError
from elltwo.factoring.difference_form import DifferenceForm, form_of
from elltwo.factoring.golub_kahan import Lift, OperatorForm
from elltwo.factoring.sparse_form import sparse_lift
from elltwo.factoring.svd import free_block
from elltwo.operators import DifferenceOperator, as_operator

SMALL = (
    2500  # unknowns up to which a general L is decomposed densely; beyond, LᵀL is factored as a sparse matrix
)


@dataclass(frozen=True)
class SymbolLift:
    """P = C diag(1/ℓ) Cᵀ under the DCT or a real FFT: the pseudo-inverse of (LᵀL)^½, symmetric.

    ‖(LᵀL)^½ x‖ = ‖L x‖, so the penalty is the same.
    """

    inverse: np.ndarray
    transform: str

    def forward(self, y: np.ndarray) -> np.ndarray:
        """P y."""
        field = y.reshape(self.inverse.shape)
        if self.transform == "dct":
            return fft.idctn(self.inverse * fft.dctn(field, norm="ortho"), norm="ortho").ravel()
        half = self.inverse[..., : self.inverse.shape[-1] // 2 + 1]
        return fft.irfftn(half * fft.rfftn(field), self.inverse.shape).ravel()

    def adjoint(self, x: np.ndarray) -> np.ndarray:
        """Pᵀ x = P x."""
        return self.forward(x)


@dataclass(frozen=True)
class FormLift:
    """P of a dense standard form, or a cumulative sum."""

    form: Any

    def forward(self, y: np.ndarray) -> np.ndarray:
        """P y."""
        return np.asarray(self.form.lift(y[:, None]))[:, 0]

    def adjoint(self, x: np.ndarray) -> np.ndarray:
        """Pᵀ x."""
        return np.asarray(self.form.of_columns(x[None, :]))[0]


def operator_form(A: Any, L: Any = None) -> OperatorForm:
    """Bring an operator problem into standard form.

    Raises
    ------
    InputError
        If L is zero or, with more than SMALL unknowns, dense.
    """
    m, n = A.shape
    if L is None:
        return OperatorForm(A, None, n, np.zeros((m, 0)), np.zeros((n, 0)))
    lift, size, null = _lift(L, n)
    images = np.column_stack([A.matvec(c) for c in null.T]) if null.shape[1] else np.zeros((m, 0))
    Q, T = free_block(images, null, np.full(null.shape[1], _size(A)))
    return OperatorForm(A, lift, size, Q, T)


def _size(A: Any) -> float:
    """About the Frobenius norm of A, from one random product; unit vectors that it shrinks to rounding are unseen."""
    return float(np.linalg.norm(A.matvec(np.random.default_rng(0).standard_normal(A.shape[1]))))


def _lift(L: Any, n: int) -> tuple[Lift, int, np.ndarray]:
    if isinstance(L, DifferenceOperator) and L.shape[1] == n:
        for transform in ("dct", "fft"):
            symbol = L.symbol(transform)
            if symbol is not None:
                inverse = np.divide(1.0, np.sqrt(symbol), out=np.zeros_like(symbol), where=symbol > 0)
                return SymbolLift(inverse, transform), n, L.null_space()
    operator = as_operator(L)
    summed = (
        isinstance(L, DifferenceOperator) and L.kind == "differences" and L.edge == "free" and L.order <= 2
    )
    if n > SMALL and not summed:
        if isinstance(L, DifferenceOperator) and L.order > 2:
            raise InputError(
                f"differences of order {L.order} on {n} points lose all digits of their smooth directions: "
                "use order 1 or 2"
            )
        large = sparse_lift(sp.csr_array(L.matrix) if isinstance(L, DifferenceOperator) else operator)
        return large, operator.shape[0], large.null
    form = form_of(L if isinstance(L, DifferenceOperator) else operator, n)
    assert isinstance(form, DifferenceForm) or form.null is not None
    return FormLift(form), form.size, form.null
