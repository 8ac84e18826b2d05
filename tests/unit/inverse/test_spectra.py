"""Every maker of a Spectrum against a dense solve of the normal equations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from elltwo import reconstruct
from elltwo.errors import UsageError
from elltwo.factoring import krylov_spectrum
from elltwo.factoring.bidiagonal import factor_bidiagonal
from elltwo.factoring.diagonal import diagonalize
from elltwo.factoring.golub_kahan import GolubKahan
from elltwo.factoring.krylov_spectrum import exact_trace, krylov_rotated, probe_vector
from elltwo.factoring.lapack import bdsqr, gebrd, ormbr
from elltwo.factoring.operator_form import operator_form
from elltwo.factoring.structured import factor_structured
from elltwo.inverse import testproblems
from elltwo.operators import (
    KroneckerOperator,
    as_operator,
    convolution,
    differences,
    gaussian_psf,
    gradient,
    laplacian,
)
from elltwo.selecting.criteria import gcv
from elltwo.shrinking import shrink

rng = np.random.default_rng(11)
ALPHAS = (1e-3, 0.5, 20.0)


def assert_solves(rotated, A, b, L, x0, alpha, atol=1e-8):
    """Coefficients, residual, penalty and degrees of freedom are those of the normal equations."""
    penalty = np.eye(A.shape[1]) if L is None else as_operator(L).todense()
    M = A.T @ A + alpha * penalty.T @ penalty
    shift = 0.0 if x0 is None else x0[:, None]
    x = shift + np.linalg.solve(M, A.T @ (b - A @ np.broadcast_to(shift, (A.shape[1], b.shape[1]))))
    got = shrink(rotated, alpha)
    np.testing.assert_allclose(got.coef, x, atol=atol)
    np.testing.assert_allclose(got.rss, ((b - A @ x) ** 2).sum(axis=0), atol=atol, rtol=1e-8)
    np.testing.assert_allclose(got.norm, np.linalg.norm(penalty @ (x - shift), axis=0), atol=atol)
    return got, float(np.trace(A @ np.linalg.solve(M, A.T)))


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (1, 3), (3, 1), (1, 1)])
def test_lapack_bidiagonalization_reproduces_the_svd(shape):
    A, b = rng.standard_normal(shape), rng.standard_normal((shape[0], 2))
    B = gebrd(A)
    k = min(shape)
    svd = bdsqr(B, ormbr(B, "Q", True, b)[:k], vectors=True)
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    np.testing.assert_allclose(svd.s, s, rtol=1e-13)
    np.testing.assert_allclose(np.abs(svd.C), np.abs(U.T @ b), atol=1e-13)
    padded = np.zeros((shape[1], k))
    padded[:k] = svd.Vt.T
    np.testing.assert_allclose(np.abs(ormbr(B, "P", False, padded)), np.abs(Vt.T), atol=1e-13)


@pytest.mark.parametrize("shape", [(8, 6), (6, 8), (30, 6), (6, 6)])
@pytest.mark.parametrize(
    "penalty",
    [
        lambda n: None,
        lambda n: differences(n),
        lambda n: differences(n, 2),
        lambda n: differences(n, 3),
        lambda n: np.diag(np.r_[0.0, 0.0, np.ones(n - 2)]),
        lambda n: np.random.default_rng(5).standard_normal((n + 1, n)),
    ],
    ids=["identity", "first", "second", "third", "two free columns", "tall matrix"],
)
def test_bidiagonalization_solves_the_normal_equations(shape, penalty):
    A, b, x0 = rng.standard_normal(shape), rng.standard_normal((shape[0], 2)), rng.standard_normal(shape[1])
    L = penalty(shape[1])
    rotated = factor_bidiagonal(A, b, L, x0)
    for alpha in ALPHAS:
        got, df = assert_solves(rotated, A, b, L, x0, alpha)
        np.testing.assert_allclose(got.df, df, atol=1e-8)
        by_map = shrink(replace(rotated, direct=None), alpha)  # V itself, made on demand
        np.testing.assert_allclose(by_map.coef, got.coef, atol=1e-9)


def test_the_bidiagonal_way_is_as_accurate_as_an_svd_on_a_severely_ill_posed_problem():
    problem = testproblems.shaw(100)
    b = problem.noisy(1e-3)
    rotated = factor_bidiagonal(problem.A, b[:, None])
    U, s, Vt = np.linalg.svd(problem.A)
    for alpha in (1e-2, 1e-6, 1e-10):
        exact = Vt.T @ (s / (s**2 + alpha) * (U.T @ b))
        error = np.linalg.norm(shrink(rotated, alpha).coef[:, 0] - exact) / np.linalg.norm(exact)
        assert error < 1e-15 * (s[0] ** 2 / alpha) ** 0.5 * 100


gaussian = gaussian_psf(0.8, 2, 2)
crooked = np.random.default_rng(4).random((3, 4))
STRUCTURED = {
    **{
        f"dct {L and L.__name__}": (lambda L=L: (convolution(gaussian, (6, 7)), L and L((6, 7))))
        for L in (None, gradient, laplacian)
    },
    "dct 1-D": lambda: (convolution(gaussian_psf(1.0, 1, 3), (12,)), differences(12)),
    "fft symmetric": lambda: (convolution(gaussian, (6, 7), "periodic"), laplacian((6, 7), "periodic")),
    "fft crooked": lambda: (convolution(crooked, (6, 7), "periodic"), gradient((6, 7), "periodic")),
    "fft identity": lambda: (convolution(crooked, (6, 7), "periodic"), None),
    "separable, zero boundary": lambda: (
        convolution(np.outer([1.0, 2, 0.5], [0.3, 1, 0.2, 0.1]), (6, 7), "zero"),
        None,
    ),
    "kronecker": lambda: (
        KroneckerOperator(np.random.default_rng(1).random((5, 3)), np.random.default_rng(2).random((4, 6))),
        None,
    ),
}


@pytest.mark.parametrize("name", STRUCTURED)
def test_structure_gives_the_exact_spectrum(name):
    A, L = STRUCTURED[name]()
    dense, b = A.todense(), rng.standard_normal((A.shape[0], 1))
    x0 = rng.standard_normal(A.shape[1])
    rotated = factor_structured(diagonalize(A, L), b, dense @ x0, x0)
    for alpha in ALPHAS:
        got, df = assert_solves(rotated, dense, b, L, x0, alpha)
        np.testing.assert_allclose(got.df, df, atol=1e-8)
        np.testing.assert_allclose(shrink(replace(rotated, direct=None), alpha).coef, got.coef, atol=1e-9)


@pytest.mark.parametrize("L", [None, laplacian((96, 96))], ids=["identity", "laplacian"])
def test_bins_change_gcv_by_less_than_a_thousandth_and_coefficients_not_at_all(L):
    problem = testproblems.blur(96)
    b = (
        5 + problem.noisy(0.01)[:, None]
    )  # a bright picture: under L = I its constant holds most of the energy
    diagonal = diagonalize(problem.A, L)
    exact, bins = (factor_structured(diagonal, b, exact=e) for e in (True, False))
    assert bins.spectrum.s.size < exact.spectrum.s.size / 8
    alphas = np.geomspace(1e-8, 1.0, 20)
    np.testing.assert_allclose(gcv(bins, alphas), gcv(exact, alphas), rtol=1e-3)
    np.testing.assert_array_equal(shrink(bins, 0.01).coef, shrink(exact, 0.01).coef)
    with pytest.raises(UsageError, match="bins"):
        bins.spectrum.map.toarray()


def test_a_crooked_psf_under_a_reflective_boundary_is_not_claimed_to_be_diagonal():
    assert diagonalize(convolution(crooked, (6, 7), "reflective"), laplacian((6, 7))) is None


@pytest.mark.parametrize("shape", [(12, 8), (8, 12)])
@pytest.mark.parametrize(
    "penalty",
    [
        lambda n: None,
        lambda n: differences(n),
        lambda n: differences(n, 2),
        lambda n: differences(n, 2, "periodic"),
        lambda n: gradient((2, n // 2)),
        lambda n: np.random.default_rng(5).standard_normal((n + 1, n)),
    ],
    ids=["identity", "first", "second", "periodic", "gradient", "matrix"],
)
def test_golub_kahan_run_to_the_end_solves_the_normal_equations(shape, penalty):
    dense, b = rng.standard_normal(shape), rng.standard_normal(shape[0])
    L = penalty(shape[1])
    form = operator_form(as_operator(dense), L)
    run = GolubKahan(form, b - form.Q @ (form.Q.T @ b), True, 4)
    run.extend(50)
    assert run.finished
    for alpha in ALPHAS:
        assert_solves(krylov_rotated(run, [], b), dense, b[:, None], L, None, alpha, atol=1e-7)


def test_probes_estimate_the_true_degrees_of_freedom_and_the_subspace_does_not():
    problem = testproblems.tomography(16)
    dense, b = problem.A.toarray(), problem.noisy(0.05)
    form = operator_form(as_operator(problem.A))
    run = GolubKahan(form, b, True, 40)
    run.extend(40)
    probes = [GolubKahan(form, probe_vector(form, seed), False, 0) for seed in range(16)]
    for probe in probes:
        probe.extend(40)
    s = np.linalg.svd(dense, compute_uv=False)
    alpha = (0.1 * s[0]) ** 2
    true = float(np.sum(s**2 / (s**2 + alpha)))
    sampled = shrink(krylov_rotated(run, probes, b), alpha).df[0]
    projected = shrink(krylov_rotated(run, [], b), alpha).df[0]
    assert sampled == pytest.approx(true, rel=0.08)
    assert projected < 0.9 * true


def test_the_probe_s_trace_is_unbiased_over_all_sign_vectors():
    """For H = A(AᵀA + λ)⁻¹Aᵀ the mean of qᵀHq over all 2^m sign vectors is exactly tr H."""
    dense = rng.standard_normal((4, 3))
    form = operator_form(as_operator(dense))
    probes = []
    for k in range(16):
        signs = np.array([1.0 if k >> i & 1 else -1.0 for i in range(4)])
        probes.append(GolubKahan(form, signs, False, 0))
        probes[-1].extend(4)
    run = GolubKahan(form, np.ones(4), True, 4)
    run.extend(4)
    s = np.linalg.svd(dense, compute_uv=False)
    got = shrink(krylov_rotated(run, probes, np.ones(4)), 0.7).df[0]
    assert got == pytest.approx(np.sum(s**2 / (s**2 + 0.7)), rel=1e-10)


@pytest.mark.parametrize("name", ["shaw", "baart", "wing", "heat1", "phillips", "foxgood"])
def test_steps_stay_orthogonal_until_a_severely_ill_posed_problem_is_exhausted(name):
    problem = testproblems.classic(64)[name]
    run = GolubKahan(operator_form(as_operator(problem.A)), problem.noisy(1e-2), True, 60)
    run.extend(60)
    V = run.vectors
    np.testing.assert_allclose(V @ V.T, np.eye(len(V)), atol=1e-10)
    largest = np.linalg.norm(problem.A, 2)
    assert max(max(run.alphas), max(run.betas)) <= largest * (1 + 1e-10)
    np.testing.assert_allclose(np.linalg.norm(run.bidiagonal, 2), largest, rtol=1e-6)


@pytest.mark.filterwarnings("ignore::elltwo.errors.ChoiceWarning")  # GCV alone goes astray on heat
@pytest.mark.parametrize(
    "name", ["shaw", "phillips", "heat1", "gravity", "foxgood", "deriv2_2", "wing", "baart"]
)
@pytest.mark.parametrize("level", [1e-1, 1e-2, 1e-4])
def test_on_few_data_golub_kahan_chooses_the_strength_of_the_decomposition(name, level):
    problem = testproblems.classic(64)[name]
    b = problem.noisy(level)
    whole = reconstruct(problem.A, b, rule="rgcv", method="bidiagonal")
    steps = reconstruct(problem.A, b, rule="rgcv", method="golub_kahan")
    assert steps.lam == pytest.approx(whole.lam, rel=0.02)
    assert problem.error(steps.coef) < 1.02 * problem.error(whole.coef)
    probed = reconstruct(problem.A, b, rule="rgcv", method="golub_kahan", probes=3, others=False)
    assert "3 random probes" in probed.reason


def test_the_exact_trace_counts_every_direction_with_its_multiplicity():
    dense = np.diag([3.0, 3.0, 3.0, 1.0, 1.0, 0.0])
    L = differences(6)
    for penalty in (None, L):
        form = operator_form(as_operator(dense), penalty)
        trace = exact_trace(form)
        P = np.eye(6) if penalty is None else np.linalg.pinv(L.todense())
        s = np.linalg.svd((np.eye(6) - form.Q @ form.Q.T) @ dense @ P, compute_uv=False)
        for alpha in (0.1, 3.0):
            df = float(trace.count @ (trace.s**2 / (trace.s**2 + alpha)))
            assert df == pytest.approx(float(np.sum(s**2 / (s**2 + alpha))), rel=1e-10)


@pytest.mark.parametrize("boundary", ["zero", "reflective"])
@pytest.mark.parametrize("penalty", ["gradient", "laplacian"])
@pytest.mark.parametrize("steps", [None, 150, 400])
def test_strengths_that_the_steps_have_not_resolved_are_not_chosen(boundary, penalty, steps):
    """Below the floor residuals fall with every step and the probe does not see why: λ = 0 was chosen."""
    local, size = np.random.default_rng(0), 24
    x = np.zeros((size, size))
    x[6:15, 8:17], x[11:19, 11:14] = 1, 2
    A = convolution(gaussian_psf(1.2), (size, size), boundary)
    b = A @ x.ravel()
    b = b + 0.01 * np.linalg.norm(b) / size * local.standard_normal(size**2)
    exact = reconstruct(A, b, L=penalty, method="bidiagonal", others=False)
    got = reconstruct(A, b, L=penalty, method="golub_kahan", steps=steps, probes=1, others=False)
    floor = got.spectrum.trace.floor
    assert 0 < floor <= got.alpha
    assert 0.5 < got.lam / exact.lam < 2
    assert np.linalg.norm(got.coef - x.ravel()) < 1.1 * np.linalg.norm(exact.coef - x.ravel())


def test_above_the_floor_the_probe_s_two_bounds_enclose_the_true_degrees_of_freedom():
    local = np.random.default_rng(1)
    dense = local.standard_normal((40, 40)) @ np.diag(np.geomspace(1, 1e-4, 40))
    form = operator_form(as_operator(dense))
    probe = GolubKahan(form, probe_vector(form, 3), False, 12)
    probe.extend(12)
    q = probe_vector(form, 3)
    for alpha in (1e-4, 1e-2, 1.0):
        true = float(q @ (alpha * np.linalg.solve(dense @ dense.T + alpha * np.eye(40), q))) / 40
        low, high = (
            krylov_spectrum._left(B, np.array([alpha]), 1)[0]
            for B in (probe.bidiagonal[:-1], probe.bidiagonal)
        )
        assert low * (1 - 1e-9) <= true <= high * (1 + 1e-9)
