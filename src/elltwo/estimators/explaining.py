"""Which factorization, solver and rule would be used, and why, without running any of them."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from elltwo.errors import InputError, unknown_option
from elltwo.estimators.fitting import SPARSE_LIMIT, too_large
from elltwo.estimators.penalising import build_penalty
from elltwo.factoring import choose
from elltwo.facts.problem import Penalty
from elltwo.selecting import find_rule

BYTES = 8


@dataclass(frozen=True)
class Explanation:
    """What a fit would do. Print it.

    Attributes
    ----------
    shape : (n, p); targets : t; stored : "dense" or "sparse".
    factorization : "svd", "gram", "dual" or "sparse_cg"; its reason in ``factorization_reason``.
    solver, solver_reason : what gives the coefficients at a strength.
    rule, rule_reason : what would choose the strength.
    memory : bytes beyond the data, about.
    """

    shape: tuple[int, int]
    targets: int
    stored: str
    factorization: str
    factorization_reason: str
    solver: str
    solver_reason: str
    rule: str
    rule_reason: str
    memory: int

    def __str__(self) -> str:
        n, p = self.shape
        many = "target" if self.targets == 1 else "targets"
        lines = (
            ("factorization", f"{self.factorization}: {self.factorization_reason}"),
            ("solver", f"{self.solver}: {self.solver_reason}"),
            ("rule", f"{self.rule}: {self.rule_reason}"),
            ("memory", f"about {_size(self.memory)} beyond the data"),
        )
        head = f"{n} rows, {p} columns, {self.targets} {many}, {self.stored}"
        return "\n".join([head, *(_hanging(name, text) for name, text in lines)])

    __repr__ = __str__


def explain(
    X: Any,
    y: Any = None,
    *,
    alpha: Any = None,
    rule: str | None = None,
    cv: Any = None,
    positive: bool = False,
    standardize: bool = False,
    free: Any = None,
    strengths: Any = None,
    penalty: Any = None,
) -> Explanation:
    """Say which factorization, solver and rule a fit would use, and why; nothing is computed.

    Parameters
    ----------
    X : array, sparse array or data frame of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_targets), optional
    alpha : the strength, if it is given rather than chosen.
    rule, cv : as in `RidgeCV`.
    positive, standardize, free, strengths, penalty : as in `Ridge`.

    Raises
    ------
    InputError : X is not two-dimensional.
    UsageError : a rule that does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> from elltwo import explain
    >>> explain(np.zeros((300_000, 80))).factorization
    'gram'
    """
    design = X if sparse.issparse(X) else _two_dimensional(X)
    shape, targets = design.shape, 1 if np.ndim(y) < 2 else np.shape(y)[1]
    asked = build_penalty(
        shape[1],
        targets,
        names=np.asarray([str(c) for c in X.columns], dtype=object) if hasattr(X, "columns") else None,
        standardize=standardize,
        free=free,
        strengths=strengths,
        penalty=penalty,
    )
    method, why = _factorization(design, asked)
    solver, solver_why = _solver(method, positive)
    name, name_why = _rule(rule, cv, alpha, method)
    stored = "sparse" if sparse.issparse(X) else "dense"
    memory = _memory(shape, targets, method)
    return Explanation(shape, targets, stored, method, why, solver, solver_why, name, name_why, memory)


def _two_dimensional(X: Any) -> Any:
    shape = np.shape(X)
    if len(shape) != 2:
        raise InputError(f"X must have two dimensions, rows and columns, got shape {shape}")
    return X if hasattr(X, "shape") else np.asarray(X)


def _factorization(design: Any, penalty: Penalty) -> tuple[str, str]:
    if too_large(design) and penalty.operator is None:
        return "sparse_cg", (
            f"sparse, and both sides exceed {SPARSE_LIMIT}: conjugate gradients, one strength at a time, no spectrum"
        )
    route = choose(design, penalty)
    return route.method, route.reason


def _solver(method: str, positive: bool) -> tuple[str, str]:
    if positive:
        return (
            "nnls",
            "coefficients are bounded below by 0: an active-set method, or L-BFGS-B for many columns",
        )
    if method == "sparse_cg":
        return "sparse_cg", "preconditioned by the diagonal, to a relative residual of 1e-10"
    if method == "svd":
        return "shrink", "every strength is a factor s²/(s² + λ) on each direction"
    return "shrink", (
        "a factor s²/(s² + λ) on each direction; where the strength is so small that digits are lost, "
        "refined with residuals on the rows, or factored again by an SVD"
    )


def _rule(rule: str | None, cv: Any, alpha: Any, method: str) -> tuple[str, str]:
    if alpha is not None:
        return "none", "the strength is given"
    if method == "sparse_cg":
        return "none", "rules need a spectrum, which is not computed at this size: give alpha"
    if rule is not None:
        return find_rule(rule).name, "asked for by name"
    if cv is None:
        return "loo", "exact leave-one-out costs one more pass over the rows"
    if isinstance(cv, str):
        raise unknown_option("cv", cv, ["a number of folds", "a splitter", "a fold column"])
    return "kfold", "cv was given; training moments are sums of fold moments, and no row is fitted again"


def _memory(shape: tuple[int, int], targets: int, method: str) -> int:
    n, p = shape
    small = min(n, p)
    numbers = {"svd": 2 * n * p, "gram": 4 * p * p, "dual": 4 * n * n, "sparse_cg": 6 * (n + p)}[method]
    return BYTES * (numbers + (n + small) * targets)


def _hanging(name: str, text: str) -> str:
    return textwrap.fill(text, 80, initial_indent=f"{name:<15}", subsequent_indent=" " * 15)


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
