"""Filters on the same axes, and the evidence of a reconstruction, against direct computations."""

from __future__ import annotations

import numpy as np
import pytest

import elltwo
from elltwo import reconstruct
from elltwo.errors import ChoiceWarning, InputError, UsageError
from elltwo.factoring.bidiagonal import factor_bidiagonal
from elltwo.inverse import evidence, figures, testproblems
from elltwo.inverse.doubts import _strip
from elltwo.operators import convolution, differences, gaussian_psf
from elltwo.shrinking import filters, shrink

problem = testproblems.phillips(32)
b = problem.noisy(0.01)
rotated = factor_bidiagonal(problem.A, b[:, None])
U, s, Vt = np.linalg.svd(problem.A)


def test_tikhonov_as_a_filter_is_tikhonov():
    np.testing.assert_allclose(
        filters.apply(rotated, filters.tikhonov(rotated, 0.3)).coef, shrink(rotated, 0.3).coef, atol=1e-10
    )


def test_truncation_is_the_truncated_svd():
    for k in (0, 3, 10):
        exact = Vt[:k].T @ (U[:, :k].T @ b / s[:k])
        got = filters.apply(rotated, filters.truncated(rotated, k))
        np.testing.assert_allclose(got.coef[:, 0], exact, atol=1e-10)
        assert got.df[0] == pytest.approx(k)


def test_truncated_gsvd_keeps_the_null_space_of_l():
    line = 2.0 + 3.0 * np.linspace(0, 1, 32)
    r = factor_bidiagonal(problem.A, (problem.A @ line)[:, None], differences(32, 2))
    np.testing.assert_allclose(filters.apply(r, filters.truncated(r, 0)).coef[:, 0], line, atol=1e-8)


def test_landweber_is_gradient_descent():
    x, step = np.zeros(32), 1.0 / s[0] ** 2
    for _ in range(25):
        x = x + step * problem.A.T @ (b - problem.A @ x)
    np.testing.assert_allclose(
        filters.apply(rotated, filters.landweber(rotated, 25)).coef[:, 0], x, atol=1e-10
    )


def test_iterated_tikhonov_is_tikhonov_on_its_own_residual():
    x = np.zeros(32)
    for _ in range(3):
        x = x + np.linalg.solve(problem.A.T @ problem.A + 0.5 * np.eye(32), problem.A.T @ (b - problem.A @ x))
    np.testing.assert_allclose(
        filters.apply(rotated, filters.iterated(rotated, 0.5, 3)).coef[:, 0], x, atol=1e-9
    )


def test_cgls_is_the_least_squares_solution_in_its_krylov_space():
    A, g = problem.A, problem.A.T @ b
    K = np.linalg.qr(np.column_stack([np.linalg.matrix_power(A.T @ A, j) @ g for j in range(4)]))[0]
    exact = K @ np.linalg.lstsq(A @ K, b, rcond=None)[0]
    got = filters.apply(rotated, filters.conjugate_gradients(rotated, 4)).coef[:, 0]
    np.testing.assert_allclose(got, exact, atol=1e-6)


def test_truncation_by_gcv_is_the_least_of_all_scores():
    scores = []
    for k in range(32):
        residual = b - problem.A @ (Vt[:k].T @ (U[:, :k].T @ b / s[:k]))
        scores.append(residual @ residual / (32 - k) ** 2)
    assert filters.truncation_by_gcv(rotated) == int(np.argmin(scores))


@pytest.mark.parametrize(
    "call",
    [
        lambda: filters.truncated(rotated, 33),
        lambda: filters.iterated(rotated, 0.0, 2),
        lambda: filters.landweber(rotated, 0),
        lambda: filters.landweber(rotated, 5, 2.5),
        lambda: filters.conjugate_gradients(rotated, -1),
    ],
)
def test_settings_that_make_no_filter_are_refused(call):
    with pytest.raises(InputError):
        call()


@pytest.mark.parametrize("L", [None, "first", "second"])
def test_the_resolution_matrix_reconstructs_exact_data(L):
    answer = elltwo.reconstruct(problem.A, b, L=L, lam=0.3, others=False)
    D = np.eye(32) if L is None else np.diff(np.eye(32), 1 if L == "first" else 2, axis=0)
    exact = np.linalg.solve(problem.A.T @ problem.A + 0.09 * D.T @ D, problem.A.T @ problem.A)
    np.testing.assert_allclose(evidence.resolution(answer), exact, atol=1e-7)


@pytest.mark.parametrize("L", [None, "first", "second"])
def test_the_posterior_spread_is_that_of_the_inverse_hessian(L):
    answer = elltwo.reconstruct(problem.A, b, L=L, lam=0.3, noise=0.05, others=False)
    D = np.eye(32) if L is None else np.diff(np.eye(32), 1 if L == "first" else 2, axis=0)
    cov = 0.05**2 * np.linalg.inv(problem.A.T @ problem.A + 0.09 * D.T @ D)
    np.testing.assert_allclose(evidence.posterior_sd(answer), np.sqrt(np.diag(cov)), rtol=1e-6)


def test_with_missing_directions_they_keep_their_prior_spread():
    short = problem.A[:10]
    answer = elltwo.reconstruct(short, b[:10], lam=0.3, noise=0.05, others=False)
    cov = 0.05**2 * np.linalg.inv(short.T @ short + 0.09 * np.eye(32))
    np.testing.assert_allclose(evidence.posterior_sd(answer), np.sqrt(np.diag(cov)), rtol=1e-6)


def test_the_posterior_spread_with_an_operator_and_fewer_data_than_unknowns():
    short, D = problem.A[:10], np.diff(np.eye(32), 2, axis=0)
    answer = elltwo.reconstruct(short, b[:10], L="second", lam=0.3, noise=0.05, others=False)
    cov = 0.05**2 * np.linalg.inv(short.T @ short + 0.09 * D.T @ D)
    np.testing.assert_allclose(evidence.posterior_sd(answer), np.sqrt(np.diag(cov)), rtol=1e-6)


def test_lanczos_bounds_the_posterior_spread_from_above_and_falls_with_every_step():
    exact = evidence.posterior_sd(elltwo.reconstruct(problem.A, b, lam=0.3, noise=0.05, others=False))
    last = np.full(32, np.inf)
    for steps in (4, 8, 16):
        answer = elltwo.reconstruct(
            problem.A, b, lam=0.3, noise=0.05, others=False, method="golub_kahan", steps=steps
        )
        sd = evidence.posterior_sd(answer)
        assert np.all(sd >= exact - 1e-9)
        assert np.all(sd <= last + 1e-9)
        last = sd


def test_a_posterior_that_cannot_be_had_is_refused():
    answer = elltwo.reconstruct(
        problem.A, b, L="second", lam=0.3, others=False, method="golub_kahan", steps=5
    )
    with pytest.raises(UsageError, match="every direction"):
        evidence.posterior_sd(answer)


def test_picard_and_l_curve_are_those_of_the_svd():
    answer = elltwo.reconstruct(problem.A, b, lam=0.3, others=False)
    np.testing.assert_allclose(evidence.picard(answer).data, np.abs(U.T @ b)[: s.size], atol=1e-10)
    curve = evidence.l_curve(answer)
    assert np.all(np.diff(curve.residual) >= -1e-12)
    assert np.all(np.diff(curve.size) <= 1e-12)
    assert curve.lam[curve.chosen] == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize("draw", ["picard", "l_curve", "filters", "resolution", "posterior"])
def test_every_figure_is_drawn_with_named_axes(draw):
    answer = elltwo.reconstruct(problem.A, b, others=False)
    ax = getattr(figures, f"plot_{draw}")(answer)
    ax.figure.canvas.draw()
    assert ax.get_title()
    assert ax.get_xlabel()


@pytest.mark.parametrize("boundary", ["zero", "periodic", "reflective"])
@pytest.mark.parametrize("shape", [(5, 4), (4, 7), (3, 3)])
def test_a_border_is_judged_alike_by_axes_and_by_the_whole_product(boundary, shape):
    local = np.random.default_rng(5)
    psf = np.outer(local.random(shape[0]), local.random(shape[1]))
    whole, x = convolution(psf, (30, 33), boundary), local.normal(size=(30, 33))
    b = local.normal(size=x.shape)
    reach = psf.shape[0] // 2
    residual = (b - (whole @ x.ravel()).reshape(x.shape)) ** 2
    np.testing.assert_allclose(_strip(whole, x, b, 0, reach), residual[:reach], rtol=1e-10)


def test_noiseless_data_leave_no_doubt_about_the_border():
    A = convolution(gaussian_psf(1.0), (20, 24))
    x = np.kron(np.arange(20.0).reshape(4, 5), np.ones((5, 5)))[:, :24].ravel()
    with pytest.warns(ChoiceWarning, match="λ = 0"):
        answer = reconstruct(A, A @ x, L="laplacian")
    assert [f.code for f in answer.findings] == ["edge"]
