"""L⁺ of a large sparse L, without decomposing it."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator

import elltwo
from elltwo.errors import InputError
from elltwo.factoring import operator_form
from elltwo.factoring.sparse_form import sparse_lift
from elltwo.operators import StackedOperator, differences, gradient

rng = np.random.default_rng(0)
GRID, N = (9, 8), 72
BORDER = sp.diags_array(np.r_[np.zeros(3), np.arange(1.0, N - 2)])
LS = {
    "gradient": lambda: sp.csr_array(gradient(GRID).matrix),
    "square": lambda: sp.csr_array(sp.eye_array(N) + 0.5 * sp.eye_array(N, k=1)),
    "three free": lambda: sp.csr_array(BORDER),
    "operator": lambda: aslinearoperator(gradient(GRID).matrix),
    "stacked": lambda: StackedOperator(gradient(GRID).matrix, 0.1 * sp.eye_array(N)),
    "second": lambda: sp.csr_array(differences(N, 2).matrix),
}


def dense(L):
    return np.asarray(L @ np.eye(N))


@pytest.mark.parametrize("kind", LS)
def test_the_lift_is_the_pseudo_inverse(kind, monkeypatch):
    monkeypatch.setattr("elltwo.factoring.sparse_form.DENSE", 1.0)  # small matrices are never very sparse
    L = LS[kind]()
    lift, plus = sparse_lift(L), np.linalg.pinv(dense(L))
    for y in rng.standard_normal((3, plus.shape[1])):
        np.testing.assert_allclose(lift.forward(y), plus @ y, atol=1e-8 * np.linalg.norm(plus @ y))
    for x in rng.standard_normal((3, N)):
        np.testing.assert_allclose(lift.adjoint(x), plus.T @ x, atol=1e-8 * np.linalg.norm(plus.T @ x))
    assert lift.null.shape[1] == N - np.linalg.matrix_rank(dense(L))
    np.testing.assert_allclose(dense(L) @ lift.null, 0, atol=1e-9)


@pytest.mark.parametrize("kind", LS)
def test_a_general_l_beyond_the_dense_limit_gives_the_answer_of_the_dense_one(kind, monkeypatch):
    A, L = rng.standard_normal((90, N)), LS[kind]()
    b = A @ np.cumsum(rng.standard_normal(N)) + 0.1 * rng.standard_normal(90)
    expected = elltwo.reconstruct(A, b, L=dense(L), alpha=2.0, others=False)
    monkeypatch.setattr(operator_form, "SMALL", 50)
    monkeypatch.setattr("elltwo.factoring.sparse_form.DENSE", 1.0)
    got = elltwo.reconstruct(A, b, L=L, alpha=2.0, method="golub_kahan", steps=N, others=False)
    np.testing.assert_allclose(got.coef, expected.coef, atol=1e-6 * np.abs(expected.coef).max())
    assert got.df == pytest.approx(expected.df, rel=1e-6)


@pytest.mark.parametrize(
    ("L", "sentence"),
    [
        (sp.csr_array((3000, 3000)), "L is zero"),
        (rng.standard_normal((40, 3000)), "L is dense, and 3000 unknowns"),
        (sp.diags_array(np.r_[np.zeros(500), np.ones(2500)]), "leaves more than 24 directions free"),
        (sp.csr_array(differences(3000, 2).matrix), "or nearly so"),
        (differences(3000, 3), "order 3 on 3000 points"),
    ],
)
def test_an_l_that_cannot_be_factored_is_refused(L, sentence):
    A = sp.csr_array(sp.eye_array(3000))
    with pytest.raises(InputError, match=sentence):
        elltwo.reconstruct(A, np.ones(3000), L=L, method="golub_kahan")
