"""Ridge with λ chosen among many: elltwo beside its peers and beside the BLAS/LAPACK calls it cannot avoid."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg
from sklearn import linear_model
from sklearn.model_selection import GridSearchCV, KFold

import elltwo
from benchmarks import Row, at_least, at_most, measure, once

FOLDS = 5


@dataclass(frozen=True)
class Job:
    """A design X (n, p), targets y, and the strengths to choose among."""

    name: str
    X: np.ndarray
    y: np.ndarray
    alphas: np.ndarray


def job(name: str, n: int, p: int, strengths: int, noise: float, targets: int = 0, seed: int = 0) -> Job:
    """Correlated columns, a dense truth and noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    X[:, 1:] += 0.5 * X[:, :-1]
    truth = rng.normal(size=(p, targets) if targets else p)
    y = X @ truth + noise * rng.normal(size=(n, targets) if targets else n)
    return Job(name, X, y, np.geomspace(1e-2, 1e6, strengths))


def syrk(X: np.ndarray) -> Callable[[], np.ndarray]:
    return (lambda: X.T @ X) if X.shape[0] >= X.shape[1] else (lambda: X @ X.T)


def eigh(X: np.ndarray) -> Callable[[], object]:
    G = syrk(X)()
    return lambda: linalg.eigh(G, driver="evd", check_finite=False)


def unavoidable(X: np.ndarray) -> dict[str, float]:
    """CPU seconds of SYRK, EIGH and the product X V."""
    p = X.shape[1]
    V = np.linalg.qr(np.random.default_rng(1).normal(size=(p, p)))[0] if X.shape[0] >= p else None
    calls: dict[str, Callable[[], object]] = {"syrk": syrk(X), "eigh": eigh(X)}
    if V is not None:
        calls["xv"] = lambda: X @ V
    return measure(calls, 5)


def ours(j: Job, **options: object) -> Callable[[], object]:
    return lambda: elltwo.RidgeCV(alphas=j.alphas, **options).fit(j.X, j.y)


def peer(j: Job, **options: object) -> Callable[[], object]:
    return lambda: linear_model.RidgeCV(alphas=j.alphas, **options).fit(j.X, j.y)


def fastest_mode(j: Job) -> float:
    """CPU seconds of scikit-learn's RidgeCV in its fastest mode here; the Gram mode is timed on a tenth of the λ.

    That mode costs a product with X per λ, so ten times a tenth is fair (and never less than the truth by much).
    """
    tenth = Job(j.name, j.X, j.y, j.alphas[::10])
    return min(once(peer(j, gcv_mode="svd")), 10 * once(peer(tenth, gcv_mode="eigen")))


def tall() -> list[Row]:
    """200 000 × 100, 100 λ."""
    j = job("200000 x 100, 100 λ", 200_000, 100, 100, 30.0)
    b = unavoidable(j.X)
    mine = measure(
        {
            "loo": ours(j),
            "gcv": ours(j, rule="gcv"),
            "kfold": ours(j, cv=FOLDS),
            "one": lambda: elltwo.Ridge(alpha=1.0).fit(j.X, j.y),
        }
    )
    few = Job(j.name, j.X, j.y, j.alphas[::20])
    grid = once(peer(few, cv=FOLDS)) * (j.alphas.size / few.alphas.size)
    return [
        at_least(j.name, "leave-one-out against RidgeCV, fastest mode", mine["loo"], fastest_mode(j), 25),
        at_most(
            j.name, "leave-one-out over SYRK + EIGH + XV", mine["loo"], b["syrk"] + b["eigh"] + b["xv"], 2
        ),
        at_most(j.name, "GCV over SYRK + EIGH", mine["gcv"], b["syrk"] + b["eigh"], 1.3),
        at_least(j.name, "5-fold against RidgeCV(cv=5), 5 λ scaled to 100", mine["kfold"], grid, 400),
        at_most(j.name, "5-fold over SYRK + 5 EIGH", mine["kfold"], b["syrk"] + FOLDS * b["eigh"], 2),
        at_most(j.name, "100 λ by GCV over one λ", mine["gcv"], mine["one"], 1.3),
    ]


def broad() -> list[Row]:
    """20 000 × 1000, 100 λ."""
    j = job("20000 x 1000, 100 λ", 20_000, 1000, 100, 100.0)
    b = unavoidable(j.X)
    mine = measure({"loo": ours(j), "kfold": ours(j, cv=FOLDS)})
    theirs = fastest_mode(j)
    return [
        at_least(j.name, "leave-one-out against RidgeCV, fastest mode", mine["loo"], theirs, 7),
        at_most(
            j.name, "leave-one-out over SYRK + EIGH + XV", mine["loo"], b["syrk"] + b["eigh"] + b["xv"], 1.8
        ),
        at_least(j.name, "5-fold against RidgeCV, fastest mode", mine["kfold"], theirs, 7),
        at_most(j.name, "5-fold over SYRK + 5 EIGH", mine["kfold"], b["syrk"] + FOLDS * b["eigh"], 1.7),
    ]


def wide() -> list[Row]:
    """500 × 20 000, 100 λ."""
    j = job("500 x 20000, 100 λ", 500, 20_000, 100, 100.0)
    b = unavoidable(j.X)
    mine = measure({"loo": ours(j)})
    return [
        at_least(j.name, "leave-one-out against RidgeCV, fastest mode", mine["loo"], fastest_mode(j), 3.5),
        at_most(j.name, "leave-one-out over SYRK + EIGH", mine["loo"], b["syrk"] + b["eigh"], 1.3),
    ]


def many_targets() -> list[Row]:
    """2000 × 1000, 5000 targets, 20 λ, a λ per target, 5-fold."""
    from himalaya.ridge import RidgeCV as Himalaya

    j = job("2000 x 1000, 5000 targets, 20 λ", 2000, 1000, 20, 100.0, targets=5000)
    mine = once(ours(j, rule="kfold", cv=FOLDS, alpha_per_target=True))
    himalaya = once(lambda: Himalaya(alphas=j.alphas, cv=FOLDS, fit_intercept=True).fit(j.X, j.y))
    some = 20  # one GridSearchCV per target, as scikit-learn's users write it; timed on 20 and scaled
    loop = once(lambda: [grid_search(j, t) for t in range(some)]) * (j.y.shape[1] / some)
    return [
        at_least(j.name, "5-fold per target against himalaya", mine, himalaya, 2.5),
        at_least(
            j.name, "5-fold per target against a loop of Ridge over λ and folds", mine, once(by_hand(j)), 7
        ),
        at_least(j.name, "5-fold per target against GridSearchCV per target, 20 scaled", mine, loop, 7),
    ]


def grid_search(j: Job, target: int) -> object:
    return GridSearchCV(linear_model.Ridge(), {"alpha": j.alphas}, cv=FOLDS).fit(j.X, j.y[:, target])


def by_hand(j: Job) -> Callable[[], object]:
    """The loop that users of scikit-learn write when every target is to have its own λ."""

    def loop() -> object:
        error = np.zeros((j.alphas.size, j.y.shape[1]))
        for train, test in KFold(FOLDS).split(j.X):
            for i, alpha in enumerate(j.alphas):
                fit = linear_model.Ridge(alpha=alpha).fit(j.X[train], j.y[train])
                error[i] += ((fit.predict(j.X[test]) - j.y[test]) ** 2).sum(axis=0)
        return linear_model.Ridge(alpha=j.alphas[error.argmin(axis=0)]).fit(j.X, j.y)

    return loop


MEMORY = """
import resource, numpy as np, elltwo
from elltwo import RidgeCV
X = np.random.default_rng(0).normal(size=(200_000, 100)); y = X[:, 0] + np.random.default_rng(1).normal(size=200_000)
RidgeCV().fit(X[:500], y[:500])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
RidgeCV(alphas=np.geomspace(1e-2, 1e6, 100)).fit(X, y)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def memory() -> list[Row]:
    """Peak memory of a 200 000 × 100 fit over what was held before it, in MB, against one copy of X."""
    out = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True).stdout
    copy = 200_000 * 100 * 8 / 2**20
    return [at_most("200000 x 100, 100 λ", "peak memory over one copy of X (MB)", float(out), copy, 0.25)]


def run() -> list[Row]:
    """All jobs of the ridge table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peers warn about ill-conditioning and edges of the grid
        return [*memory(), *tall(), *broad(), *wide(), *many_targets()]
