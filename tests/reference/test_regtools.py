"""Test problems against Regularization Tools 4.1 and AIR/IR Tools: fingerprints of independent runs.

The figures are outputs of those packages under Octave 7.3 (numbers only), with six or eight digits;
λ is the discrepancy choice at 1 % noise from PCG64(0), which their reference computed to 1e-13.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq

from elltwo.inverse import testproblems

# σ₁, σ₁₀, ‖b‖, ‖x‖, λ at ‖A x_λ − b‖ = ‖e‖
FINGERPRINTS = {
    "shaw": (2.99331, 7.612e-05, 18.649192, 7.9856369, 0.101264),
    "phillips": (5.80224, 0.117, 15.286489, 2.9983953, 0.326699),
    "heat1": (0.356627, 0.01897, 0.3740632, 1.9670724, 0.00680979),
    "heat5": (0.911204, 0.5369, 1.3946314, 1.9670724, 0.0685396),
    "baart": (3.22853, 4.447e-12, 2.8969689, 1.2531883, 0.0363233),
    "deriv2_1": (0.101301, 0.0009931, 0.045999458, 0.57733265, 0.00237505),
    "deriv2_2": (0.101301, 0.0009931, 0.15440786, 1.7873061, 0.00270347),
    "deriv2_3": (0.101301, 0.0009931, 0.029035916, 0.28863989, 0.00536982),
    "gravity": (6.4595, 0.03024, 37.411083, 6.3245553, 0.354615),
    "foxgood": (0.81082, 5.692e-07, 3.5793342, 4.6186612, 0.0198893),
    "i_laplace_1": (1.89658, 0.0006132, 3.2248263, 2.0669024, 0.0594751),
    "i_laplace_2": (1.89658, 0.0006132, 5.480286, 7.4824779, 0.0254148),
    "i_laplace_3": (1.89658, 0.0006132, 8.5312833, 5.4294535, 0.0491098),
    "i_laplace_4": (1.89658, 0.0006132, 5.0875363, 7.5498344, 0.0238334),
    "wing": (0.446975, None, 0.14618221, 0.58630197, 0.00482544),
    "spikes": (10.2695, 0.0002907, 89.760664, 28.460499, 0.0670762),
}


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_singular_values_and_norms_are_those_of_regularization_tools(name):
    problem = testproblems.classic(64)[name]
    first, tenth, b, x, _ = FINGERPRINTS[name]
    s = np.linalg.svd(problem.A, compute_uv=False)
    assert s[0] == pytest.approx(first, rel=3e-6)
    if tenth is not None:  # wing's tenth singular value is below rounding
        assert s[9] == pytest.approx(tenth, rel=5e-4)
    assert np.linalg.norm(problem.b) == pytest.approx(b, rel=5e-8)
    assert np.linalg.norm(problem.x) == pytest.approx(x, rel=5e-8)


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_the_discrepancy_strength_on_stored_noise_is_that_of_regularization_tools(name):
    problem = testproblems.classic(64)[name]
    b = problem.noisy(0.01, seed=0)
    noise = np.sum((b - problem.b) ** 2)
    U, s, _ = np.linalg.svd(problem.A)
    z = U.T @ b

    def excess(log_lam):
        return np.sum((z / (1 + (s / np.exp(log_lam)) ** 2)) ** 2) - noise

    lam = np.exp(brentq(excess, -40, 10, xtol=1e-14))
    assert lam == pytest.approx(FINGERPRINTS[name][4], rel=5e-6)


def test_tomography_has_the_fingerprint_of_air_tools():
    problem = testproblems.tomography(64)
    assert problem.A.shape == (16380, 4096)
    assert problem.A.nnz == 938_572
    assert np.sqrt(problem.A.power(2).sum()) == pytest.approx(835.375790776773, rel=1e-13)
    assert np.linalg.norm(problem.b) == pytest.approx(957.411227737859, rel=1e-10)
    assert np.linalg.norm(problem.x) == pytest.approx(15.8473972626421, rel=1e-13)


def test_data_are_the_image_of_the_solution_up_to_the_discretization():
    for name, problem in testproblems.classic(64).items():
        assert np.linalg.norm(problem.A @ problem.x - problem.b) <= 0.05 * np.linalg.norm(problem.b), name
    for problem in (testproblems.tomography(16), testproblems.blur(20), testproblems.seismic(64)):
        np.testing.assert_allclose(problem.A @ problem.x, problem.b, rtol=1e-12)


def test_phillips_keeps_its_published_discretization_error():
    problem = testproblems.phillips(64)
    assert np.linalg.norm(problem.A @ problem.x - problem.b) == pytest.approx(0.01484, abs=5e-6)
