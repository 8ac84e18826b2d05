"""Every operator keeps one contract: adding one here is adding a line."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, lsqr

from elltwo.operators import (
    ComposedOperator,
    KroneckerOperator,
    Operator,
    RowScaledOperator,
    StackedOperator,
    ToeplitzOperator,
    adjoint_mismatch,
    as_operator,
    convolution,
    differences,
    gradient,
    laplacian,
)

rng = np.random.default_rng(7)
A34, A45 = rng.standard_normal((3, 4)), rng.standard_normal((4, 5))
crooked = rng.random((4, 3))


def pylops_example():
    pylops = pytest.importorskip("pylops")
    return as_operator(pylops.FirstDerivative((6, 5), axis=0, edge=True))


MAKERS = {
    "dense": lambda: as_operator(A34),
    "dense float32": lambda: as_operator(A34.astype(np.float32)),
    "integers": lambda: as_operator(np.arange(6).reshape(2, 3)),
    "sparse": lambda: as_operator(sp.random_array((7, 5), density=0.4, rng=rng, format="coo")),
    "scipy": lambda: as_operator(
        LinearOperator((3, 4), matvec=lambda v: A34 @ v, rmatvec=lambda v: A34.T @ v, dtype=np.float64)
    ),
    "pylops": pylops_example,
    "toeplitz tall": lambda: ToeplitzOperator(rng.standard_normal(9), rng.standard_normal(4)),
    "toeplitz wide": lambda: ToeplitzOperator(rng.standard_normal(3), rng.standard_normal(8)),
    "toeplitz symmetric": lambda: ToeplitzOperator(rng.standard_normal(6)),
    "toeplitz one": lambda: ToeplitzOperator(np.ones(1)),
    "kronecker": lambda: KroneckerOperator(A34, A45, sp.eye_array(2)),
    "stacked": lambda: StackedOperator(A34, sp.eye_array(4), ToeplitzOperator(np.ones(4))),
    "composed": lambda: ComposedOperator(A34, A45, sp.eye_array(5)),
    "row scaled": lambda: RowScaledOperator(np.array([1.0, 2.0, 0.5]), A34),
    "differences": lambda: differences(9, 3),
    "differences periodic": lambda: differences(9, 2, "periodic"),
    "differences zero": lambda: differences(9, 2, "zero"),
    "gradient": lambda: gradient((4, 5)),
    "laplacian": lambda: laplacian((4, 1, 5)),
    **{
        f"convolution {boundary} {dims}-D": (
            lambda boundary=boundary, psf=psf, shape=shape: convolution(psf, shape, boundary)
        )
        for boundary in ("zero", "periodic", "reflective")
        for dims, psf, shape in [
            (1, rng.random(5), (11,)),
            (2, crooked, (6, 7)),
            (3, rng.random((2, 3, 1)), (3, 4, 2)),
        ]
    },
    "convolution psf as large as the image": lambda: convolution(crooked, (4, 3), "reflective"),
}


@pytest.fixture(params=MAKERS, ids=str)
def operator(request):
    return MAKERS[request.param]()


def tolerance(A):
    return 2e-5 if A.dtype == np.float32 else 1e-12


def test_the_adjoint_belongs_to_the_operator(operator):
    assert adjoint_mismatch(operator, seed=3).mismatch < tolerance(operator)


def test_products_equal_those_of_the_matrix_they_stand_for(operator):
    M = operator.todense()
    x, y = rng.standard_normal(M.shape[1]), rng.standard_normal(M.shape[0])
    np.testing.assert_allclose(operator @ x, M @ x, atol=tolerance(operator) * 10)
    np.testing.assert_allclose(operator.T @ y, M.T @ y, atol=tolerance(operator) * 10)
    np.testing.assert_allclose(operator.H @ y, M.T @ y, atol=tolerance(operator) * 10)


def test_a_block_of_vectors_gives_the_products_one_by_one(operator):
    X, Y = rng.standard_normal((operator.shape[1], 3)), rng.standard_normal((operator.shape[0], 2))
    forward, adjoint = operator.matmat(X), operator.rmatmat(Y)
    assert forward.shape == (operator.shape[0], 3)
    assert adjoint.shape == (operator.shape[1], 2)
    for j in range(3):
        np.testing.assert_allclose(forward[:, j], operator.matvec(X[:, j]), atol=tolerance(operator) * 10)
    for j in range(2):
        np.testing.assert_allclose(adjoint[:, j], operator.rmatvec(Y[:, j]), atol=tolerance(operator) * 10)


def test_shape_dtype_and_kind_are_as_promised(operator):
    assert isinstance(operator, Operator)
    assert operator.dtype in (np.float32, np.float64)
    assert operator.todense().shape == operator.shape
    x = operator @ np.ones(operator.shape[1], operator.dtype)
    assert x.shape == (operator.shape[0],)
    assert x.dtype == operator.dtype
    assert operator @ np.ones((operator.shape[1], 1), operator.dtype) == pytest.approx(x[:, None])


def test_the_argument_is_not_changed(operator):
    x, y = rng.standard_normal(operator.shape[1]), rng.standard_normal(operator.shape[0])
    kept_x, kept_y = x.copy(), y.copy()
    operator @ x, operator.T @ y
    np.testing.assert_array_equal(x, kept_x)
    np.testing.assert_array_equal(y, kept_y)


def test_scipy_accepts_the_operator(operator):
    M = operator.todense()
    b = rng.standard_normal(M.shape[0])
    x = lsqr(operator, b, damp=1.0, atol=1e-12, btol=1e-12, iter_lim=200)[0]
    exact = np.linalg.solve(M.T @ M + np.eye(M.shape[1]), M.T @ b)
    np.testing.assert_allclose(x, exact, atol=max(1e-8, tolerance(operator)))
