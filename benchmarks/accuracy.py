"""Correct digits of ridge coefficients against a solution in 80-digit arithmetic; elltwo beside scikit-learn.

``python -m benchmarks.accuracy`` writes docs/accuracy.md.
"""

from __future__ import annotations

import csv
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mpmath
import numpy as np
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.linear_model import RidgeCV as SklearnRidgeCV

import elltwo
from elltwo.tables.datasets import dataset

RELATIVE = (1e-4, 1e-10, 1e-16)  # λ over the largest squared singular value
DIGITS = 80


@dataclass(frozen=True)
class Case:
    """A named regression: X (n, p), y (n,); an unpenalised intercept."""

    name: str
    X: np.ndarray
    y: np.ndarray


def nist(name: str) -> Case:
    """A data set of NIST's linear-regression reference sets."""
    known = dataset(name)
    with open(known.path, newline="") as file:
        columns, *rows = (row for row in csv.reader(file) if row)
    table = np.array(rows, dtype=float)
    y = columns.index(known.target)
    X = np.delete(table, y, axis=1)
    degree = {"filip": 10}.get(name, 5 if name.startswith("wampler") else 0)
    if degree:
        X = np.column_stack([X[:, 0] ** k for k in range(1, degree + 1)])
    return Case(name, X, table[:, y])


def conditioned(name: str, n: int, p: int, condition: float, offset: float = 0.0) -> Case:
    """Singular values evenly spread in log from 1 to 1/condition, columns moved by an offset."""
    rng = np.random.default_rng(0)
    k = min(n - 1, p)
    U = np.linalg.qr(np.column_stack([np.ones(n), rng.normal(size=(n, k))]))[0][:, 1:]
    V = np.linalg.qr(rng.normal(size=(p, k)))[0]
    X = U * np.geomspace(1, 1 / condition, k) @ V.T
    return Case(name, X + offset, X @ rng.normal(size=p) + 0.01 * rng.normal(size=n))


def cases() -> list[Case]:
    """NIST's ill-conditioned sets, and designs of known condition."""
    return [
        *(
            nist(name)
            for name in ("longley", "filip", "wampler1", "wampler2", "wampler3", "wampler4", "wampler5")
        ),
        conditioned("cond 1e8, 100 x 20", 100, 20, 1e8),
        conditioned("cond 1e8, wide 30 x 60", 30, 60, 1e8),
        conditioned("offset 1e8, 200 x 8", 200, 8, 10.0, offset=1e8),
    ]


def strengths(case: Case) -> np.ndarray:
    """λ at the three fractions of the largest squared singular value."""
    centred = case.X - case.X.mean(axis=0)
    return np.array(RELATIVE) * np.linalg.svd(centred, compute_uv=False)[0] ** 2


def exact(case: Case, alpha: float) -> np.ndarray:
    """(p,) coefficients in 80-digit arithmetic, through the smaller of the two Gram matrices."""
    with mpmath.workdps(DIGITS):
        X = mpmath.matrix(case.X.tolist())
        y = mpmath.matrix(case.y.tolist())
        n, p = case.X.shape
        for j in range(p):
            mean = mpmath.fsum(X[i, j] for i in range(n)) / n
            for i in range(n):
                X[i, j] -= mean
        mean = mpmath.fsum(y) / n
        y = y - mpmath.ones(n, 1) * mean
        ridge = mpmath.mpf(float(alpha))
        if p <= n:
            w = mpmath.lu_solve(X.T * X + ridge * mpmath.eye(p), X.T * y)
        else:
            w = X.T * mpmath.lu_solve(X * X.T + ridge * mpmath.eye(n), y)
        return np.array([float(v) for v in w])


def digits(coef: np.ndarray, reference: np.ndarray) -> float:
    """−log₁₀ of the largest error over the largest coefficient, between 0 and 16."""
    error = np.max(np.abs(coef - reference)) / np.max(np.abs(reference))
    return float(np.clip(-np.log10(max(error, 1e-16)), 0, 16)) if np.isfinite(error) else 0.0


OURS: dict[str, Callable[[Case, float], np.ndarray]] = {
    "elltwo Ridge": lambda c, a: elltwo.Ridge(alpha=a).fit(c.X, c.y).coef_,
    "elltwo RidgeCV": lambda c, a: elltwo.RidgeCV(alphas=[a]).fit(c.X, c.y).coef_,
}
THEIRS: dict[str, Callable[[Case, float], np.ndarray]] = {
    "scikit-learn svd": lambda c, a: SklearnRidge(alpha=a, solver="svd").fit(c.X, c.y).coef_,
    "scikit-learn cholesky": lambda c, a: SklearnRidge(alpha=a, solver="cholesky").fit(c.X, c.y).coef_,
    "scikit-learn lsqr": lambda c, a: SklearnRidge(alpha=a, solver="lsqr").fit(c.X, c.y).coef_,
    "scikit-learn RidgeCV": lambda c, a: SklearnRidgeCV(alphas=[a]).fit(c.X, c.y).coef_,
}


def measured(case: Case) -> dict[str, list[float]]:
    """Correct digits per system at each strength."""
    references = [exact(case, a) for a in strengths(case)]
    out = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns of ill-conditioning; the digits are the point
        for name, solve in {**OURS, **THEIRS}.items():
            out[name] = [digits(solve(case, a), r) for a, r in zip(strengths(case), references, strict=True)]
    return out


def page() -> str:
    """docs/accuracy.md."""
    names = [*OURS, *THEIRS]
    lines = [
        "# Accuracy",
        "",
        "Correct digits of the coefficients at λ/s₁² = 1e-4 / 1e-10 / 1e-16, s₁ the largest singular value of the",
        f"centred design: −log₁₀ of the largest error over the largest coefficient, against {DIGITS}-digit arithmetic.",
        "An unpenalised intercept everywhere; every system with its defaults. Made by `python -m benchmarks.accuracy`.",
        "",
        "| problem | " + " | ".join(names) + " |",
        "|---|" + "---|" * len(names),
    ]
    for case in cases():
        found = measured(case)
        lines.append(
            f"| {case.name} | " + " | ".join("/".join(f"{d:.0f}" for d in found[n]) for n in names) + " |"
        )
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("docs", "accuracy.md").write_text(page())
    sys.exit(0)
