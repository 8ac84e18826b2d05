"""Fits that the report's tests draw: real tables, and every odd shape a table can have."""

from __future__ import annotations

from functools import cache

import numpy as np

from elltwo.factoring import factor
from elltwo.factoring.folds import factor_folds, fold_moments
from elltwo.facts.problem import Penalty, Problem
from elltwo.reporting import collect
from elltwo.selecting import select
from elltwo.selecting.nested import nested
from elltwo.shrinking import shrink

STANDARD = Penalty(standardize=True)


def report_of(problem, rule="loo", names=None, target="y", folds=0, alpha=None, **more):
    """The dict of a fit; with ``folds`` the error is cross-validated over them and nested."""
    r = factor(problem)
    numbers = np.random.default_rng(0).permutation(np.arange(len(problem.b)) % folds) if folds else None
    spectra = factor_folds(problem, numbers, r) if folds else None
    selection = select(r, rule, folds=spectra) if alpha is None else None
    solution = shrink(r, selection.alpha if selection is not None else alpha)
    if folds:
        parts = fold_moments(problem, numbers)
        more["nested"] = nested(parts, problem.penalty, problem.intercept)
    standardize = problem.penalty.standardize
    return collect(
        rotated=r, solution=solution, selection=selection, names=names, target=target, folds=spectra,
        standardize=standardize, **more,
    )  # fmt: skip


def diabetes_problem():
    from sklearn.datasets import load_diabetes

    data = load_diabetes(scaled=False)
    return Problem(data.data, data.target[:, None], None, True, STANDARD), list(data.feature_names)


@cache
def diabetes():
    problem, names = diabetes_problem()
    more = {
        "problem_info": {"source": "diabetes.csv"},
        "reproduce": "elltwo fit diabetes.csv --target progression",
    }
    return report_of(problem, "kfold", names, "disease progression", folds=5, **more)


def random_table(n=40, p=6, t=1, seed=0):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, p)) + 2.0
    return A, A[:, :1] * np.arange(1, t + 1) + rng.normal(size=(n, t))


def spectra_problem():
    """60 rows, 401 wavelengths."""
    rng = np.random.default_rng(3)
    t = np.linspace(0, 1, 401)
    peaks = np.stack([np.exp(-(((t - c) / 0.08) ** 2)) for c in (0.2, 0.45, 0.6, 0.8)])
    mix = rng.random((60, 4))
    A = mix @ peaks + 0.01 * rng.normal(size=(60, 401))
    return Problem(A, 40 + 50 * mix[:, [1]] - 10 * mix[:, [3]] + rng.normal(size=(60, 1)))


@cache
def spectra():
    return report_of(spectra_problem(), "loo", [f"{900 + 2 * i} nm" for i in range(401)], "octane")


@cache
def odd_shapes():
    """Name → function that gives the report, for every shape that a page must survive."""
    A, b = random_table()
    wide, wide_b = random_table(n=15, p=60)
    many, many_b = random_table(n=30, p=300, seed=2)
    constant = A.copy()
    constant[:, 2] = 4.0
    w = np.random.default_rng(1).uniform(0.5, 2, 40)
    shapes = {
        "weights": lambda: report_of(Problem(A, b, w, True, STANDARD)),
        "no intercept": lambda: report_of(Problem(A, b, None, False)),
        "free columns": lambda: report_of(
            Problem(A, b, None, True, Penalty(scale=np.array([0.0, 0, 1, 1, 2, 1])))
        ),
        "differences": lambda: report_of(
            Problem(A, b, None, True, Penalty(operator=np.diff(np.eye(6), axis=0)))
        ),
        "prior mean": lambda: report_of(Problem(A, b, None, True, Penalty(x0=np.ones(6)))),
        "one column": lambda: report_of(Problem(A[:, :1], b)),
        "constant column": lambda: report_of(Problem(constant, b, None, True, STANDARD)),
        "wide": lambda: report_of(Problem(wide, wide_b, None, True, STANDARD)),
        "too wide for all columns": lambda: report_of(Problem(np.tile(many, 10), many_b)),
        "two targets": lambda: report_of(Problem(*random_table(t=2), None), which=1),
        "given strength": lambda: report_of(Problem(A, b), alpha=2.0),
        "zero": lambda: report_of(Problem(A, b), alpha=0.0),
        "infinity": lambda: report_of(Problem(A, b), alpha=np.inf),
        "interpolating": lambda: report_of(Problem(wide, wide_b), alpha=0.0),
        "exact target": lambda: report_of(Problem(A, A @ np.ones((6, 1))), rule="gcv"),
        "constant target": lambda: report_of(Problem(A, np.full((40, 1), 3.0)), alpha=1.0),
        "three rows": lambda: report_of(Problem(A[:3, :2], b[:3])),
        "evidence": lambda: report_of(Problem(A, b), rule="evidence"),
    }
    return {name: cache(make) for name, make in shapes.items()}
