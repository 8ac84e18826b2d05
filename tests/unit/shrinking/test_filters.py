"""Other filters, with a penalty operator, a prior mean and weights: each is the iteration or truncation itself."""

import numpy as np
import pytest

import elltwo
from elltwo.operators import differences
from elltwo.shrinking import filters

rng = np.random.default_rng(0)
N, ROWS = 12, 20
x0, w = rng.standard_normal(N), rng.uniform(0.2, 1.2, ROWS)
A = np.sqrt(w)[:, None] * rng.standard_normal((ROWS, N))
b = A @ np.ones(N) + rng.standard_normal(ROWS)
D = differences(N, 2)
L, NULL = D.todense(), D.null_space()
P = np.linalg.pinv(L)
OUT = np.eye(ROWS) - np.linalg.qr(A @ NULL)[0] @ np.linalg.qr(A @ NULL)[0].T
M, c = OUT @ A @ P, OUT @ (b - A @ x0)  # the standard form


@pytest.fixture(params=["bidiagonal", "svd", "golub_kahan"])
def rotated(request):
    raw = A / np.sqrt(w)[:, None], b / np.sqrt(w)
    return elltwo.reconstruct(*raw, L=D, x0=x0, weights=w, alpha=1.0, method=request.param).rotated


def original(y):
    """x of the standard form's y, the free directions fitted."""
    x = x0 + P @ y
    return x + NULL @ np.linalg.lstsq(A @ NULL, b - A @ x, rcond=None)[0]


def coef(rotated, given):
    return filters.apply(rotated, given).coef[:, 0]


def test_iterated_tikhonov_starts_again_from_its_own_answer(rotated):
    x, alpha = x0, 0.7
    for _ in range(4):
        x = np.linalg.solve(A.T @ A + alpha * L.T @ L, A.T @ b + alpha * L.T @ L @ x)
    np.testing.assert_allclose(coef(rotated, filters.iterated(rotated, alpha, 4)), x, atol=1e-10)


def test_landweber_is_gradient_descent_in_standard_form(rotated):
    y = np.zeros(M.shape[1])
    for _ in range(6):
        y = y + 0.9 / np.linalg.norm(M, 2) ** 2 * M.T @ (c - M @ y)
    np.testing.assert_allclose(coef(rotated, filters.landweber(rotated, 6, 0.9)), original(y), atol=1e-10)


def test_cgls_is_the_least_residual_in_the_krylov_space_of_the_standard_form(rotated):
    basis = [M.T @ c]
    for _ in range(2):
        basis.append(M.T @ (M @ basis[-1]))
    K = np.linalg.qr(np.column_stack(basis))[0]
    y = K @ np.linalg.lstsq(M @ K, c, rcond=None)[0]
    np.testing.assert_allclose(coef(rotated, filters.conjugate_gradients(rotated, 3)), original(y), atol=1e-8)


def test_truncation_is_the_truncated_generalized_svd(rotated):
    U, s, Vt = np.linalg.svd(M, full_matrices=False)
    y = Vt[:4].T @ ((U.T @ c)[:4] / s[:4])
    np.testing.assert_allclose(coef(rotated, filters.truncated(rotated, 4)), original(y), atol=1e-10)
