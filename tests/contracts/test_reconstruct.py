"""Every kind of A, with every kind of L, prior mean, weights and noise, is the stacked least squares of its arrays."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import elltwo
from elltwo.inverse.prepare import penalty_of
from elltwo.operators import (
    ComposedOperator,
    KroneckerOperator,
    StackedOperator,
    ToeplitzOperator,
    as_operator,
    convolution,
    differences,
    gradient,
)

pytestmark = pytest.mark.filterwarnings("ignore::elltwo.errors.ChoiceWarning")  # the data are random
GRID, N = (5, 6), 30
rng = np.random.default_rng(0)
D, M = rng.standard_normal((36, N)), rng.standard_normal((12, N))
ONE, TWO = rng.standard_normal((5, 5)), rng.standard_normal((6, 6))
STEPS = np.diag(np.arange(1.0, N + 1))
EVEN, CROOKED = np.outer([0.25, 0.5, 0.25], [0.2, 0.6, 0.2]), rng.random((3, 3))


def pylops(make):
    return lambda: make(pytest.importorskip("pylops"))


def plain(dtype=float):
    return LinearOperator(D.shape, matvec=lambda v: D @ v, rmatvec=lambda v: D.T @ v, dtype=dtype)


OPERATORS = {
    "array": lambda: D,
    "list": lambda: D.tolist(),
    "wide": lambda: D[:20],
    "integers": lambda: np.round(3 * D).astype(int),
    "csc": lambda: sp.csc_array(D),
    "banded": lambda: sp.diags_array([np.ones(N), 0.5 * np.ones(N - 1)], offsets=[0, 1], shape=(N, N)),
    "scipy": plain,
    "scipy without dtype": lambda: plain(None),
    "scipy sum": lambda: aslinearoperator(D) + 2 * aslinearoperator(sp.csr_array(D)),
    "scipy product": lambda: aslinearoperator(D) @ aslinearoperator(STEPS),
    "scipy transposed": lambda: aslinearoperator(D.T.copy()).T,
    "pylops stacked": pylops(lambda p: p.VStack([p.MatrixMult(D), p.Identity(N)])),
    "pylops side by side": pylops(lambda p: p.HStack([p.MatrixMult(D[:, :10]), p.MatrixMult(D[:, 10:])])),
    "pylops product": pylops(lambda p: p.MatrixMult(D) @ p.Diagonal(np.arange(1.0, N + 1))),
    "pylops kronecker": pylops(lambda p: p.Kronecker(p.MatrixMult(ONE), p.MatrixMult(TWO))),
    "pylops convolution": pylops(lambda p: p.signalprocessing.Convolve2D(GRID, h=EVEN, offset=(1, 1))),
    "toeplitz": lambda: ToeplitzOperator(D[:, 0], D[0]),
    "kronecker": lambda: KroneckerOperator(ONE, TWO),
    "kronecker tall": lambda: KroneckerOperator(D[:7, :5], D[:8, :6]),
    **{
        f"convolution {boundary} {name}": (lambda b=boundary, psf=psf: convolution(psf, GRID, b))
        for boundary in ("zero", "periodic", "reflective")
        for name, psf in (("even", EVEN), ("crooked", CROOKED))
    },
    "stacked": lambda: StackedOperator(D, sp.eye_array(N), ToeplitzOperator(np.arange(float(N)))),
    "stacked views": lambda: StackedOperator(convolution(EVEN, GRID), convolution(CROOKED, GRID, "zero")),
    "composed": lambda: ComposedOperator(D, STEPS),
    "every second pixel of a blur": lambda: ComposedOperator(np.eye(N)[::2], convolution(EVEN, GRID)),
    "arithmetic": lambda: as_operator(D) @ convolution(EVEN, GRID) - 0.5 * as_operator(np.eye(36, N)),
}
PENALTIES = {
    "identity": lambda: None,
    "first": lambda: 1,
    "third": lambda: 3,
    "gradient": lambda: "gradient",
    "laplacian": lambda: "laplacian",
    "matrix": lambda: np.vstack([M, differences(N).todense()]),
    "sparse": lambda: sp.csr_array(np.diag(np.arange(float(N)))),
    "scipy": lambda: aslinearoperator(STEPS),
    "pylops": pylops(lambda p: p.SecondDerivative(N)),
    "zero edge": lambda: differences(N, 2, "zero"),
    "stacked": lambda: StackedOperator(0.1 * np.eye(N), differences(N)),
    "composed": lambda: ComposedOperator(np.vstack([M, np.eye(N)]), STEPS),
}


def stacked(A, b, L, alpha, x0=0.0, half=None):
    """argmin ‖half (A x − b)‖² + α‖L(x − x0)‖², of least length where that leaves a choice; and tr of the hat."""
    W = np.eye(len(b)) if half is None else half
    tall = np.vstack([W @ A, np.sqrt(alpha) * L])
    inverse = np.linalg.pinv(tall, rcond=1e-12)
    x0 = np.broadcast_to(x0, A.shape[1])
    moved = inverse @ np.concatenate([W @ (b - A @ x0), np.zeros(len(L))])
    return x0 + moved, float(np.trace(W @ A @ inverse[:, : len(b)]))


def problem(kind, penalty, seed=1):
    A = OPERATORS[kind]()
    operator = as_operator(A)
    field = penalty in ("gradient", "laplacian")
    grid = (operator.image_shape or GRID) if field else (N,)
    L = PENALTIES[penalty]()
    named = penalty_of(L, operator, grid)
    dense = operator.todense().astype(float)
    local = np.random.default_rng(seed)
    b = dense @ local.standard_normal(N) + 0.1 * local.standard_normal(len(dense))
    return A, dense, b, L, np.eye(N) if named is None else named @ np.eye(N), grid


def check(answer, exact, rtol=1e-6, df=1e-6):
    x, trace = exact
    assert np.linalg.norm(answer.coef - x) <= rtol * np.linalg.norm(x)
    assert answer.df == pytest.approx(trace, rel=df)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("kind", OPERATORS)
def test_the_answer_is_the_stacked_least_squares(kind, penalty):
    A, dense, b, L, sees, grid = problem(kind, penalty)
    answer = elltwo.reconstruct(A, b, L=L, grid=grid, others=False)
    alpha = answer.alpha
    if not 0 < alpha < np.inf:
        alpha = 0.37
        answer = elltwo.reconstruct(A, b, L=L, grid=grid, alpha=alpha, others=False)
    check(answer, stacked(dense, b, sees, alpha))


SOME = ("csc", "scipy", "kronecker", "convolution reflective even", "convolution zero crooked", "stacked")
spread = 0.1 + rng.random(100)
CORRELATED = 0.3 ** np.abs(np.subtract.outer(np.arange(100), np.arange(100)))
SETTINGS = {
    "prior mean": lambda m: ({"x0": np.arange(float(N))}, None),
    "noise vector": lambda m: ({"noise": spread[:m]}, np.diag(1 / spread[:m])),
    "covariance": lambda m: (
        {"noise": CORRELATED[:m, :m]},
        np.linalg.inv(np.linalg.cholesky(CORRELATED[:m, :m])),
    ),
    "weights": lambda m: ({"weights": spread[:m]}, np.diag(np.sqrt(spread[:m]))),
    "weights and prior mean": lambda m: (
        {"weights": spread[:m], "x0": np.ones(N)},
        np.diag(np.sqrt(spread[:m])),
    ),
}


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("penalty", ["identity", "third", "gradient", "matrix"])
@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize("method", ["auto", "svd", "golub_kahan"])
def test_prior_means_weights_and_noise_are_those_of_the_stacked_least_squares(kind, penalty, setting, method):
    A, dense, b, L, sees, grid = problem(kind, penalty)
    options, half = SETTINGS[setting](len(b))
    answer = elltwo.reconstruct(A, b, L=L, grid=grid, alpha=0.37, method=method, others=False, **options)
    exact = stacked(dense, b, sees, 0.37, options.get("x0", 0.0), half)
    check(answer, exact, *((1e-3, 1e-6) if method == "golub_kahan" else ()))


@pytest.mark.parametrize("method", ["auto", "svd", "golub_kahan"])
@pytest.mark.parametrize("L", ["gradient", "laplacian", 2])
def test_a_direction_that_neither_a_nor_l_sees_gets_nothing(method, L):
    A = gradient(GRID)
    b = A @ rng.standard_normal(N)
    grid = (N,) if L == 2 else GRID
    answer = elltwo.reconstruct(A, b, L=L, grid=grid, alpha=0.1, method=method, others=False)
    sees = penalty_of(L, as_operator(A), grid).todense()
    exact, trace = stacked(A.todense(), b, sees, 0.1)
    flat = np.ones(N) / N
    np.testing.assert_allclose(answer.coef - flat @ answer.coef, exact - flat @ exact, atol=1e-6)
    assert np.abs(answer.coef).max() < 100
    assert answer.df == pytest.approx(trace, rel=1e-6)
    assert "undetermined" in {f.code for f in answer.findings}


@pytest.mark.parametrize(
    "kind", ["array", "scipy", "pylops stacked", "kronecker", "convolution reflective even"]
)
@pytest.mark.parametrize("penalty", ["identity", "first", "matrix"])
def test_bounds_are_scipys_bounded_least_squares_at_the_strength_chosen(kind, penalty):
    from scipy.optimize import lsq_linear

    A, dense, b, L, sees, grid = problem(kind, penalty)
    answer = elltwo.reconstruct(A, b, L=L, grid=grid, bounds=(-0.5, 0.5), others=False)
    tall = np.vstack([dense, np.sqrt(answer.alpha) * sees])
    exact = lsq_linear(tall, np.append(b, np.zeros(len(sees))), (-0.5, 0.5), method="bvls").x
    np.testing.assert_allclose(answer.coef, exact, atol=1e-7)
    assert np.any(np.abs(answer.coef) == 0.5)
