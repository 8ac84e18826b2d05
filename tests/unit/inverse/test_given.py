"""What is given beside A: checked in a sentence each, and data of weight zero are none."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator

import elltwo
from elltwo.errors import InputError
from elltwo.inverse import testproblems

rng = np.random.default_rng(0)
A = rng.standard_normal((12, 8))
b = A @ np.ones(8) + 0.1 * rng.standard_normal(12)


def product(forward, back=lambda v: A.T @ v):
    return LinearOperator((12, 8), matvec=forward, rmatvec=back, dtype=float)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"A": product(lambda v: A @ v, lambda v: v)}, "Aᵀ y failed for a vector of 12 numbers"),
        ({"A": product(lambda v: v)}, r"A x failed for a vector of 8 numbers .* shape is \(12, 8\)"),
        ({"A": 1e200 * A}, "A reaches 2e\\+200, whose square"),
        ({"b": 1e-200 * b}, "b reaches .*whose square"),
        ({"b": ["a"] * 12}, "b must hold numbers; got dtype <U1"),
        ({"noise": "x"}, "a number >= 0; got 'x'"),
        ({"noise": np.eye(12) + np.triu(np.full((12, 12), 0.3), 1)}, "not symmetric positive definite"),
        ({"weights": ["a"] * 12}, "weights must hold numbers"),
        ({"x0": ["a"] * 8}, "x0 must hold numbers"),
        ({"x0": 1j * np.ones(8)}, "x0 is complex"),
        ({"bounds": ("a", None)}, "bounds must hold numbers"),
        ({"lam": "a"}, "lam must be one number"),
        ({"L": "gradient", "grid": "a"}, "grid must be the numbers of points along each axis"),
        ({"L": 1.5}, "L must have two dimensions"),
        ({"L": np.full((8, 8), np.nan)}, "L holds 64 values that are NaN"),
        (
            {"L": LinearOperator((8, 8), matvec=lambda v: v, rmatvec=lambda v: 2 * v, dtype=float)},
            "adjoint is wrong",
        ),
        ({"steps": 0}, "steps must be a whole number of at least 1; got 0"),
        ({"steps": 2.5}, "steps must be a whole number"),
        ({"probes": -1}, "probes must be a whole number of at least 0"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(change, sentence):
    options = {"A": A, "b": b, **change}
    with pytest.raises(InputError, match=sentence):
        elltwo.reconstruct(options.pop("A"), options.pop("b"), **options)


def test_an_l_without_adjoint_is_made_an_array():
    D = np.diff(np.eye(8), axis=0)
    bare = LinearOperator((7, 8), matvec=lambda v: D @ v, dtype=float)
    for options in ({}, {"method": "golub_kahan"}, {"bounds": (0, None)}):
        got = elltwo.reconstruct(A, b, L=bare, alpha=0.1, **options)
        np.testing.assert_allclose(
            got.coef, elltwo.reconstruct(A, b, L=D, alpha=0.1, **options).coef, atol=1e-8
        )


@pytest.mark.filterwarnings("ignore::elltwo.errors.ChoiceWarning")
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array, aslinearoperator])
@pytest.mark.parametrize(
    "options", [{}, {"rule": "gcv"}, {"method": "golub_kahan"}, {"L": "second", "x0": np.ones(48)}]
)
def test_data_of_weight_zero_are_as_if_they_were_not_there(make, options):
    problem = testproblems.phillips(48)
    w = rng.uniform(0.5, 2, 48)
    w[::5] = 0
    data = np.where(w > 0, problem.noisy(0.05), 1e3)
    whole = elltwo.reconstruct(make(problem.A), data, weights=w, **options)
    live = w > 0
    part = elltwo.reconstruct(make(problem.A[live]), data[live], weights=w[live], **options)
    assert whole.lam == pytest.approx(part.lam, rel=1e-6)
    assert whole.df == pytest.approx(part.df, rel=1e-6)
    np.testing.assert_allclose(whole.coef, part.coef, rtol=1e-5, atol=1e-8)


@pytest.mark.filterwarnings("ignore::elltwo.errors.ChoiceWarning")
@pytest.mark.parametrize("method", ["bidiagonal", "svd", "golub_kahan"])
def test_data_of_zeros_reconstruct_to_zero_by_every_maker(method):
    np.testing.assert_array_equal(elltwo.reconstruct(A, 0 * b, method=method).coef, np.zeros(8))
