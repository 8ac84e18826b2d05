"""The kernel's spectrum, in full and at half the price."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel

from elltwo.errors import InputError
from elltwo.factoring.kernel import factor_kernel, factor_kernel_values
from elltwo.selecting import criteria
from elltwo.selecting.loo import loo
from elltwo.shrinking import shrink

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
K = rbf_kernel(X, gamma=0.3)
Y = RNG.normal(size=(40, 2)) + X[:, :1]
ROOT = np.sqrt(RNG.uniform(0.5, 2, 40))
ALPHAS = np.array([0.01, 0.5, 20.0])


@pytest.mark.parametrize("root", [None, ROOT])
def test_tridiagonal_form_gives_the_same_curves_as_the_eigenvectors(root):
    full, half = factor_kernel(K, Y, root), factor_kernel_values(K, Y, root)
    np.testing.assert_allclose(half.spectrum.s[:20], full.spectrum.s[:20], rtol=1e-7)
    for rule in (criteria.gcv, criteria.evidence, criteria.robust_gcv):
        np.testing.assert_allclose(rule(half, ALPHAS), rule(full, ALPHAS), rtol=1e-7)


@pytest.mark.parametrize("root", [None, ROOT])
def test_dual_coefficients_and_the_norm_are_those_of_the_linear_system(root):
    r = np.ones(40) if root is None else root
    rotated = factor_kernel(K, Y, root)
    for alpha in ALPHAS:
        c = np.linalg.solve(K + alpha * np.diag(1 / r**2), Y)
        s = shrink(rotated, alpha)
        np.testing.assert_allclose(r[:, None] * s.coef, c, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(s.norm**2, np.einsum("it,ij,jt->t", c, K, c), rtol=1e-8)


def test_leave_one_out_equals_refits_without_the_row():
    rotated = factor_kernel(K, Y)
    for i, alpha in enumerate(ALPHAS):
        total = 0.0
        for row in range(40):
            rest = np.arange(40) != row
            c = np.linalg.solve(K[np.ix_(rest, rest)] + alpha * np.eye(39), Y[rest])
            total = total + (Y[row] - K[row, rest] @ c) ** 2
        np.testing.assert_allclose(loo(rotated, ALPHAS).mean[i], total / 40, rtol=1e-8)


def test_matrices_that_are_no_kernels_are_refused_with_the_number_that_says_so():
    with pytest.raises(InputError, match="smallest eigenvalue is -1"):
        factor_kernel(np.diag([3.0, 2.0, -1.0]), np.ones((3, 1)))
    with pytest.raises(InputError, match="smallest eigenvalue is -1"):
        factor_kernel_values(np.diag([3.0, 2.0, -1.0]), np.ones((3, 1)))
    with pytest.raises(InputError, match="not symmetric"):
        factor_kernel(np.array([[1.0, 0.5], [0.1, 1.0]]), np.ones((2, 1)))
    with pytest.raises(InputError, match=r"needs shape \(3, 3\)"):
        factor_kernel(np.eye(2), np.ones((3, 1)))
    with pytest.raises(InputError, match="only eigenvalues"):
        shrink(factor_kernel_values(K, Y), 1.0)
