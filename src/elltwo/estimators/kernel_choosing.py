"""What a kernel machine can be asked for, and the width chosen together with the strength."""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.errors import InputError, UsageError, unknown_option
from elltwo.estimators.kernels import Kernel, gamma_family, gamma_starts
from elltwo.selecting.joint import OBJECTIVES, Joint, best_starts, optimize_kernel, weighted
from elltwo.selecting.registry import find_rule

APPROXIMATIONS = (None, "nystroem", "fourier")
PARAMETERS = ("fixed", "optimize")
MOST_ROWS = 40_000  # whose kernel takes 13 GB


def refuse(e: Any, rows: int) -> None:
    """Options that do not exist, exclude each other, or ask for a kernel that no memory holds.

    Raises
    ------
    UsageError, InputError
    """
    if e.approximation not in APPROXIMATIONS:
        raise unknown_option("approximation", e.approximation, APPROXIMATIONS)
    if e.parameters not in PARAMETERS:
        raise unknown_option("parameters", e.parameters, PARAMETERS)
    if "folds" in find_rule(e.rule).needs:
        raise UsageError(
            "kernel ridge has no folds: use rule='loo', which is exact, or GridSearchCV(KernelRidge())"
        )
    if e.parameters == "optimize" and e.approximation is not None:
        raise UsageError(
            "parameters='optimize' works on the whole kernel: leave approximation out, or choose gamma on some "
            "of the rows and pass it"
        )
    given = isinstance(e.kernel, str) and e.kernel == "precomputed"
    if e.approximation is None and not given and rows > MOST_ROWS:
        raise InputError(
            f"the kernel of {rows} rows takes {8e-9 * rows**2:.0f} GB, and its factorization twice as much: pass "
            "approximation='nystroem' (or 'fourier'), or the matrix itself as kernel='precomputed'"
        )


def optimized(kernel: Kernel, X: Any, b: np.ndarray, root: np.ndarray | None, rule: str) -> Joint:
    """Log γ and λ of the least leave-one-out error, GCV score or −2 log evidence, from the best of several starts.

    Raises
    ------
    UsageError : a rule or a kernel that has no gradient here.
    """
    rule = find_rule(rule).name
    if rule not in OBJECTIVES:
        raise unknown_option("rule for kernel parameters", rule, OBJECTIVES)
    kernels = gamma_family(kernel, X)
    starts = best_starts(kernels, b, np.log(gamma_starts(kernel, X)), rule, root)
    if root is not None:
        kernels, b = weighted(kernels, root), root[:, None] * b
    tried = [optimize_kernel(kernels, b, s.parameters, s.log_alpha, rule) for s in starts]
    return min(tried, key=lambda joint: joint.value)
