"""reconstruct: one call for every kind of operator, with its evidence, its doubts and its refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import nnls
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import elltwo
from elltwo.errors import ChoiceWarning, InputError, UsageError
from elltwo.inverse import testproblems
from elltwo.operators import (
    ComposedOperator,
    KroneckerOperator,
    StackedOperator,
    ToeplitzOperator,
    convolution,
    gaussian_psf,
)
from elltwo.shrinking.path import path

rng = np.random.default_rng(2)
phillips = testproblems.phillips(32)
noisy = phillips.noisy(0.01)


def reconstruct(*args, **kwargs):
    kwargs.setdefault("others", False)
    return elltwo.reconstruct(*args, **kwargs)


@pytest.mark.parametrize("method", ["bidiagonal", "svd", "golub_kahan"])
@pytest.mark.parametrize("L", [None, "second"])
def test_all_makers_give_the_same_answer_at_the_same_strength(method, L):
    exact = reconstruct(phillips.A, noisy, L=L, lam=0.3, method="bidiagonal")
    other = reconstruct(phillips.A, noisy, L=L, lam=0.3, method=method, steps=32)
    np.testing.assert_allclose(other.coef, exact.coef, atol=1e-7)
    assert other.method == method


KINDS = {
    "array": lambda A: A,
    "list": lambda A: A.tolist(),
    "sparse": sp.csr_array,
    "operator": aslinearoperator,
    "toeplitz": lambda A: ToeplitzOperator(A[:, 0], A[0]),
    "composed": lambda A: ComposedOperator(A, np.eye(A.shape[1])),
    "pylops": lambda A: pytest.importorskip("pylops").MatrixMult(A),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_operator_gives_the_answer_of_the_array(kind):
    expected = reconstruct(phillips.A, noisy, L="first")
    got = reconstruct(KINDS[kind](phillips.A), noisy, L="first")
    np.testing.assert_allclose(got.coef, expected.coef, rtol=1e-5, atol=1e-7)


def test_a_stack_of_two_equal_measurements_is_one_with_half_the_variance():
    twice = reconstruct(StackedOperator(phillips.A, phillips.A), np.r_[noisy, noisy], lam=np.sqrt(2) * 0.3)
    np.testing.assert_allclose(twice.coef, reconstruct(phillips.A, noisy, lam=0.3).coef, atol=1e-10)


def test_structure_is_recognised_and_named_with_its_reason():
    A = convolution(gaussian_psf(1.0, 2, 3), (12, 12))
    b = A @ rng.random(144)
    with pytest.warns(ChoiceWarning, match="λ = 0"):  # exact data need no regularization, and that is said
        assert reconstruct(A, b, L="laplacian").method == "dct"
    periodic = convolution(gaussian_psf(1.0, 2, 3), (12, 12), "periodic")
    c = periodic @ rng.random(144)
    assert reconstruct(periodic, c, L="gradient", lam=0.01).method == "fft"
    answer = reconstruct(KroneckerOperator(rng.random((5, 4)), rng.random((6, 3))), rng.random(30), lam=0.1)
    assert answer.method == "kronecker"
    assert "SVD of each axis" in str(answer)


def test_a_prior_mean_and_weights_are_those_of_the_normal_equations():
    w, x0 = rng.random(32) + 0.1, rng.standard_normal(32)
    answer = reconstruct(phillips.A, noisy, weights=w, x0=x0, alpha=0.7)
    A = phillips.A
    exact = x0 + np.linalg.solve(A.T * w @ A + 0.7 * np.eye(32), A.T @ (w * (noisy - A @ x0)))
    np.testing.assert_allclose(answer.coef, exact, atol=1e-10)


def test_a_noise_vector_a_covariance_and_weights_say_the_same():
    sigma = rng.random(32) + 0.5
    by_vector = reconstruct(phillips.A, noisy, noise=sigma, alpha=0.3)
    by_matrix = reconstruct(phillips.A, noisy, noise=np.diag(sigma**2), alpha=0.3)
    by_weights = reconstruct(phillips.A, noisy, weights=sigma**-2, alpha=0.3)
    np.testing.assert_allclose(by_matrix.coef, by_vector.coef, atol=1e-10)
    np.testing.assert_allclose(by_weights.coef, by_vector.coef, atol=1e-10)


def test_correlated_noise_is_whitened():
    C = 0.5 ** np.abs(np.subtract.outer(np.arange(32), np.arange(32)))
    answer = reconstruct(phillips.A, noisy, noise=C, alpha=0.3)
    A, inverse = phillips.A, np.linalg.inv(C)
    exact = np.linalg.solve(A.T @ inverse @ A + 0.3 * np.eye(32), A.T @ inverse @ noisy)
    np.testing.assert_allclose(answer.coef, exact, atol=1e-10)


def test_asking_for_a_radius_or_a_residual_meets_it():
    assert reconstruct(phillips.A, noisy, radius=2.0).solution_norm == pytest.approx(2.0, rel=1e-9)
    assert reconstruct(phillips.A, noisy, residual=1.5).residual_norm == pytest.approx(1.5, rel=1e-9)


@pytest.mark.parametrize("name", ["lam", "alpha", "radius", "residual"])
def test_several_right_hand_sides_may_each_ask_for_their_own(name):
    B, each = np.column_stack([noisy, 2 * noisy[::-1], noisy**2]), [1.0, 2.5, 0.5]
    together = reconstruct(phillips.A, B, **{name: each})
    for j, value in enumerate(each):
        alone = reconstruct(phillips.A, B[:, j], **{name: value})
        assert together.alpha[j] == pytest.approx(alone.alpha, rel=1e-9)
        np.testing.assert_allclose(together.coef[:, j], alone.coef, atol=1e-10)
    with pytest.raises(InputError, match=rf"{name} must be one number, or one per target \(3\)"):
        reconstruct(phillips.A, B, **{name: [1.0, 2.0]})


def test_known_noise_decides_by_discrepancy_and_unknown_noise_by_robust_gcv():
    sigma = float(np.linalg.norm(noisy - phillips.b) / np.sqrt(32))
    known, unknown = reconstruct(phillips.A, noisy, noise=sigma), reconstruct(phillips.A, noisy)
    assert known.selection.rule == "discrepancy"
    assert known.residual_norm == pytest.approx(np.sqrt(32) * sigma, rel=1e-9)
    assert unknown.selection.rule == "rgcv"


def test_the_noise_is_estimated():
    problem = testproblems.phillips(400)
    b = problem.noisy(0.02)
    answer = elltwo.reconstruct(problem.A, b)
    assert answer.noise == pytest.approx(np.linalg.norm(b - problem.b) / 20, rel=0.1)
    assert answer.lam**2 == pytest.approx(answer.alpha)
    assert answer.strength.value == answer.alpha


def test_tomography_by_one_probe_comes_within_three_percent_of_the_best_strength():
    problem = testproblems.tomography(128)
    for level in (0.01, 0.05):
        b = problem.noisy(level)
        answer = reconstruct(problem.A, b, grid=(128, 128), method="golub_kahan", steps=60)
        strengths = np.geomspace(0.5, 20, 25) ** 2
        best = min(problem.error(c[:, 0]) for c in path(answer.rotated, strengths).coef)
        assert problem.error(answer.coef) <= 1.03 * best
        assert answer.noise == pytest.approx(np.linalg.norm(b - problem.b) / np.sqrt(b.size), rel=0.1)
        assert answer.image.shape == (128, 128)


def test_several_right_hand_sides_are_the_single_ones():
    B = np.column_stack([phillips.noisy(0.01, seed) for seed in range(3)])
    together = reconstruct(phillips.A, B)
    assert together.coef.shape == (32, 3)
    for j in range(3):
        alone = reconstruct(phillips.A, B[:, j])
        assert together.lam[j] == pytest.approx(alone.lam, rel=1e-6)


@pytest.mark.parametrize("L", [None, "second"])
def test_nonnegative_solutions_are_scipys_nnls(L):
    answer = reconstruct(phillips.A, noisy, L=L, lam=0.05, bounds=(0, None))
    penalty = np.eye(32) if L is None else np.diff(np.eye(32), 2, axis=0)
    exact = nnls(np.vstack([phillips.A, 0.05 * penalty]), np.r_[noisy, np.zeros(penalty.shape[0])])[0]
    np.testing.assert_allclose(answer.coef, exact, atol=1e-8)


def test_with_bounds_the_strength_is_still_chosen_and_nonnegativity_helps_tomography():
    problem = testproblems.tomography(24)
    b = problem.noisy(0.05)
    free = reconstruct(problem.A, b, method="golub_kahan", steps=40)
    boxed = reconstruct(problem.A, b, method="golub_kahan", steps=40, bounds=(0, 1))
    assert boxed.coef.min() >= 0
    assert boxed.coef.max() <= 1
    assert problem.error(boxed.coef) < 0.9 * problem.error(free.coef)
    assert boxed.selection.rule == "rgcv"


def test_the_traces_of_the_free_set_are_those_of_its_columns():
    answer = reconstruct(phillips.A, noisy, lam=0.05, bounds=(0, None))
    A = phillips.A[:, answer.coef > 0]
    H = A @ np.linalg.solve(A.T @ A + 0.05**2 * np.eye(A.shape[1]), A.T)
    assert answer.df == pytest.approx(np.trace(H), rel=1e-6)


def test_bounds_that_do_not_bind_change_nothing():
    wide = reconstruct(phillips.A, noisy, lam=0.3, bounds=(-1e6, 1e6))
    np.testing.assert_allclose(wide.coef, reconstruct(phillips.A, noisy, lam=0.3).coef, atol=1e-8)


def test_noise_larger_than_the_data_gives_infinity_with_a_warning():
    with pytest.warns(ChoiceWarning) as said:
        answer = reconstruct(phillips.A, noisy, noise=1e6)
    assert any("λ = ∞" in str(w.message) for w in said)
    assert answer.lam == np.inf
    np.testing.assert_array_equal(answer.coef, 0.0)
    assert {f.code for f in answer.findings} == {"edge", "noise-larger-than-data"}


def test_data_of_zeros_reconstruct_to_zero():
    answer = reconstruct(phillips.A, np.zeros(32), lam=0.1)
    np.testing.assert_array_equal(answer.coef, 0.0)


def test_a_boundary_that_does_not_fit_is_said():
    whole = testproblems.satellite(96)
    seen = (convolution(gaussian_psf(2.0), (96, 96)) @ whole.ravel()).reshape(96, 96)[24:72, 12:60]
    seen = seen + 0.003 * rng.standard_normal(seen.shape)
    A = convolution(gaussian_psf(2.0), (48, 48), "periodic")
    with pytest.warns(ChoiceWarning, match="'periodic' boundary does not fit"):
        answer = reconstruct(A, seen, L="laplacian")
    assert "boundary-mismatch" in {f.code for f in answer.findings}


def test_a_boundary_that_fits_is_not_complained_about():
    problem = testproblems.blur(48, 1.5, "reflective")
    assert reconstruct(problem.A, problem.noisy(0.01), L="laplacian").findings == ()


def test_rules_that_disagree_by_a_factor_of_ten_are_said():
    problem = testproblems.foxgood(64)
    codes = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ChoiceWarning)
        for seed in range(12):
            answer = elltwo.reconstruct(problem.A, problem.noisy(1e-2, seed))
            codes |= {f.code for f in answer.findings}
    assert codes == {"rules-disagree"}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: reconstruct(np.zeros((4, 3)), np.ones(4)), "A is zero"),
        (lambda: reconstruct(np.eye(3) * 1j, np.ones(3)), "A is complex"),
        (lambda: reconstruct(np.eye(3), np.ones(3) * 1j), "b is complex"),
        (lambda: reconstruct(np.eye(3), np.ones(4)), "must have 3 rows"),
        (lambda: reconstruct(np.eye(3), [1.0, np.nan, 2.0]), "NaN or infinite, the first in row 1"),
        (lambda: reconstruct(np.array([[1.0, np.inf]]), [1.0]), "NaN or infinite"),
        (lambda: reconstruct(np.eye(3), ["a", "b", "c"]), "numbers"),
        (lambda: reconstruct(np.eye(3), np.ones(3), L=np.eye(4)), "L must have 3 columns"),
        (lambda: reconstruct(np.eye(3), np.ones(3), L=np.zeros((2, 3))), "L is zero"),
        (lambda: reconstruct(np.eye(3), np.ones(3), L="first", grid=(2, 2)), "4 points"),
        (lambda: reconstruct(np.eye(4), np.ones(4), L=2, grid=(2, 2)), "one axis"),
        (lambda: reconstruct(np.eye(3), np.ones(3), x0=np.ones(2)), "x0 must have shape"),
        (lambda: reconstruct(np.eye(3), np.ones(3), noise=-1.0), "number >= 0"),
        (lambda: reconstruct(np.eye(3), np.ones(3), noise=np.zeros(3)), "finite and > 0"),
        (lambda: reconstruct(np.eye(3), np.ones(3), noise=-np.eye(3)), "positive definite"),
        (lambda: reconstruct(np.eye(3), np.ones(3), weights=-np.ones(3)), "weights must be"),
        (lambda: reconstruct(np.eye(3), np.ones(3), weights=np.ones(3), noise=np.ones(3)), "not both"),
        (lambda: reconstruct(np.eye(3), np.ones(3), lam=-1.0), "number >= 0"),
        (lambda: reconstruct(np.eye(3), np.ones(3), lam=1.0, alpha=1.0), "one of lam, alpha"),
        (lambda: reconstruct(np.eye(3), np.ones(3), bounds=3), "pair"),
        (lambda: reconstruct(np.eye(3), np.ones(3), lam=1.0, bounds=(1, 0)), "low <= high"),
        (lambda: reconstruct(np.eye(3), np.ones(3), method="structured"), "no transform"),
        (lambda: reconstruct(np.eye(3), np.ones((3, 2)), method="golub_kahan"), "one right-hand side"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


@pytest.mark.parametrize(
    ("kwargs", "sentence"),
    [
        ({"rule": "magic"}, "unknown rule"),
        ({"method": "magic"}, "unknown method"),
        ({"L": "magic"}, "unknown penalty"),
        ({"rule": "discrepancy"}, "these rules work here"),
        ({"rule": "kfold"}, "these rules work here"),
    ],
)
def test_an_unknown_or_impossible_option_names_those_that_work(kwargs, sentence):
    with pytest.raises(UsageError, match=sentence):
        reconstruct(phillips.A, noisy, **kwargs)


def test_an_operator_with_a_wrong_adjoint_is_refused_with_the_mismatch():
    A = phillips.A
    wrong = LinearOperator(
        A.shape, matvec=lambda v: A @ v, rmatvec=lambda v: A.T @ np.roll(v, 1), dtype=float
    )
    with pytest.raises(InputError, match="relative mismatch of"):
        reconstruct(wrong, noisy)


def test_a_rule_that_reads_rows_gets_them():
    assert reconstruct(phillips.A, noisy, rule="ncp").method == "svd"
    assert reconstruct(phillips.A, noisy, rule="loo").method == "svd"


def test_one_unknown_and_one_datum():
    assert reconstruct(np.array([[2.0]]), [4.0], alpha=0.0).coef == pytest.approx([2.0])
    assert reconstruct(np.array([[2.0]]), [4.0], alpha=4.0).coef == pytest.approx([1.0])
