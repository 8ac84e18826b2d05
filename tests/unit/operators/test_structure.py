"""Structured operators against independent definitions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import fft, linalg, ndimage, signal
from scipy.sparse.linalg import LinearOperator

from elltwo.errors import InputError, UsageError
from elltwo.operators import (
    ComposedOperator,
    KroneckerOperator,
    StackedOperator,
    ToeplitzOperator,
    as_operator,
    check_adjoint,
    convolution,
    differences,
    gaussian_psf,
    gradient,
    laplacian,
)

rng = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("boundary", "mode"), [("reflective", "reflect"), ("periodic", "wrap"), ("zero", "constant")]
)
@pytest.mark.parametrize("size", [(3, 5), (5, 3), (4, 3), (7, 6)])
def test_convolution_is_ndimage_convolve_with_the_same_boundary(boundary, mode, size):
    psf, image = rng.random(size), rng.random((9, 8))
    ours = (convolution(psf, image.shape, boundary) @ image.ravel()).reshape(image.shape)
    np.testing.assert_allclose(ours, ndimage.convolve(image, psf, mode=mode), atol=1e-13)


@pytest.mark.parametrize("boundary", ["zero", "periodic", "reflective"])
@pytest.mark.parametrize("size", [5, 4, 1, 9])
def test_a_separable_psf_is_a_kronecker_product_of_its_axis_matrices(boundary, size):
    psf = np.outer(rng.random(size), rng.random(3))
    A = convolution(psf, (9, 7), boundary)
    np.testing.assert_allclose(np.kron(*A.axis_matrices()), A.todense(), atol=1e-12)


def test_a_psf_that_is_not_separable_has_no_axis_matrices():
    assert convolution(rng.random((3, 3)), (9, 9), "zero").axis_matrices() is None


def test_a_symmetric_psf_with_reflective_boundary_is_diagonal_under_the_dct():
    psf = rng.random((3, 5))
    psf = psf + psf[::-1]
    psf = psf + psf[:, ::-1]
    A = convolution(psf, (6, 7), "reflective")
    assert A.axes_symmetric
    C = np.kron(*(fft.dct(np.eye(n), axis=0, norm="ortho") for n in (6, 7)))
    D = C @ A.todense() @ C.T
    np.testing.assert_allclose(D, np.diag(np.diag(D)), atol=1e-12)


@pytest.mark.parametrize(
    ("L", "transform"),
    [
        (differences(9), "dct"),
        (gradient((4, 5)), "dct"),
        (laplacian((4, 5)), "dct"),
        (gradient((4, 5), "periodic"), "fft"),
        (laplacian((4, 5), "periodic"), "fft"),
        (differences(8, 3, "periodic"), "fft"),
    ],
)
def test_the_symbol_of_a_penalty_is_the_spectrum_of_its_gram_matrix(L, transform):
    M = L.todense()
    np.testing.assert_allclose(np.sort(L.symbol(transform).ravel()), linalg.eigvalsh(M.T @ M), atol=1e-12)


def test_free_second_differences_are_not_claimed_to_be_diagonal():
    assert differences(9, 2).symbol("dct") is None


@pytest.mark.parametrize(
    "L",
    [
        *(differences(9, k) for k in (1, 2, 3)),
        *(differences(9, k, edge) for k in (1, 2) for edge in ("periodic", "zero")),
        gradient((4, 5)),
        laplacian((3, 4)),
        laplacian((3, 4), "zero"),
        laplacian((3, 1, 4), "periodic"),
    ],
)
def test_null_spaces_are_complete_and_orthonormal(L):
    N, M = L.null_space(), L.todense()
    np.testing.assert_allclose(M @ N, 0, atol=1e-13)
    np.testing.assert_allclose(N.T @ N, np.eye(N.shape[1]), atol=1e-13)
    assert N.shape[1] == M.shape[1] - np.linalg.matrix_rank(M)


def test_differences_are_numpys_diff():
    x = rng.standard_normal(12)
    for order in (1, 2, 5):
        np.testing.assert_allclose(differences(12, order) @ x, np.diff(x, order), atol=1e-13)


def test_toeplitz_products_are_scipys_and_kronecker_products_numpys():
    c, r = rng.standard_normal(40), rng.standard_normal(30)
    np.testing.assert_allclose(
        ToeplitzOperator(c, r) @ np.arange(30.0), linalg.toeplitz(c, r) @ np.arange(30.0)
    )
    A, B = rng.standard_normal((3, 4)), rng.standard_normal((2, 5))
    np.testing.assert_allclose(KroneckerOperator(A, B).todense(), np.kron(A, B), atol=1e-14)


def test_one_axis_convolution_is_scipys_same_mode_away_from_the_border():
    psf, x = rng.random(5), rng.random(30)
    A = convolution(psf, (30,), "reflective")
    np.testing.assert_allclose((A @ x)[2:-2], signal.convolve(x, psf, "valid"), atol=1e-13)


def test_a_wrong_adjoint_is_refused_with_its_measured_mismatch():
    A = rng.standard_normal((5, 4))
    wrong = LinearOperator((5, 4), matvec=lambda v: A @ v, rmatvec=lambda v: 2 * (A.T @ v), dtype=float)
    with pytest.raises(InputError, match=r"adjoint is wrong.*mismatch of [0-9.e-]+"):
        check_adjoint(as_operator(wrong))


def test_an_operator_without_adjoint_is_refused():
    A = LinearOperator((5, 4), matvec=lambda v: np.zeros(5), dtype=float)
    with pytest.raises(InputError, match="no adjoint"):
        check_adjoint(as_operator(A))


def test_an_operator_that_returns_nan_is_refused():
    A = LinearOperator((2, 2), matvec=lambda v: v * np.nan, rmatvec=lambda v: v, dtype=float)
    with pytest.raises(InputError, match="not finite"):
        check_adjoint(as_operator(A))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: as_operator(np.eye(2) * 1j), "complex"),
        (lambda: as_operator(np.array([[1.0, np.nan]])), "NaN or infinite"),
        (lambda: as_operator(np.ones(3)), "two dimensions"),
        (lambda: as_operator(np.zeros((0, 3))), "two dimensions"),
        (lambda: as_operator(sp.csr_array(np.eye(2) * 1j)), "complex"),
        (lambda: as_operator([["a", "b"]]), "numbers"),
        (lambda: convolution(np.ones((5, 5)), (3, 3)), "larger than the image"),
        (lambda: convolution(np.ones(3), (3, 3)), "axes"),
        (lambda: convolution(np.zeros((3, 3)), (5, 5)), "not all zero"),
        (lambda: convolution(np.ones((3, 3)) * 1j, (5, 5)), "real numbers"),
        (lambda: gaussian_psf(-1.0), "sigma > 0"),
        (lambda: gaussian_psf(float("nan")), "sigma > 0"),
        (lambda: StackedOperator(np.eye(2), np.eye(3)), "number of columns"),
        (lambda: ComposedOperator(np.eye(2), np.eye(3)), "inner sizes"),
        (lambda: StackedOperator(), "at least one"),
        (lambda: differences(3, 3), "order"),
        (lambda: differences(3, 0), "order"),
        (lambda: gradient((1, 1)), "grid"),
        (lambda: ToeplitzOperator([np.inf]), "NaN or infinity"),
    ],
)
def test_what_cannot_be_an_operator_is_refused_in_a_sentence(make, sentence):
    with pytest.raises(InputError, match=sentence):
        make()


def test_an_unknown_boundary_names_those_that_exist():
    with pytest.raises(UsageError, match="'zero', 'periodic', 'reflective'"):
        convolution(np.ones((3, 3)), (5, 5), "mirror")
