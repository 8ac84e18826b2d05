"""Inverse problems whose answers are known: ``shaw(64)`` → an object with ``A``, ``b`` and ``x``.

Singular values and norms are held to published implementations in tests/reference/test_regtools.py.
"""

from elltwo.inverse.testproblems.images import blur, parallel_beam, tomography
from elltwo.inverse.testproblems.integral import (
    baart,
    deriv2,
    foxgood,
    gravity,
    heat,
    i_laplace,
    phillips,
    shaw,
    spikes,
    wing,
)
from elltwo.inverse.testproblems.phantoms import satellite, shepp_logan
from elltwo.inverse.testproblems.problem import TestProblem
from elltwo.inverse.testproblems.seismic import ricker, seismic

__all__ = [
    "TestProblem",
    "baart",
    "blur",
    "classic",
    "deriv2",
    "foxgood",
    "gravity",
    "heat",
    "i_laplace",
    "parallel_beam",
    "phillips",
    "ricker",
    "satellite",
    "seismic",
    "shaw",
    "shepp_logan",
    "spikes",
    "tomography",
    "wing",
]


def classic(n: int = 64) -> dict[str, TestProblem]:
    """Return the sixteen small problems on which selection rules are compared, by name."""
    return {
        "shaw": shaw(n),
        "phillips": phillips(n),
        "heat1": heat(n, 1.0),
        "heat5": heat(n, 5.0),
        "baart": baart(n),
        **{f"deriv2_{k}": deriv2(n, k) for k in (1, 2, 3)},
        "gravity": gravity(n),
        "foxgood": foxgood(n),
        **{f"i_laplace_{k}": i_laplace(n, k) for k in (1, 2, 3, 4)},
        "wing": wing(n),
        "spikes": spikes(n),
    }
