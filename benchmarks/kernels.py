"""Kernel, banded and sparse ridge beside scikit-learn, himalaya and the calls they cannot avoid."""

from __future__ import annotations

import warnings

import numpy as np
from scipy import linalg, sparse
from sklearn.kernel_ridge import KernelRidge as SklearnKernelRidge
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV

import elltwo
from benchmarks import Row, at_least, at_most, measure, once
from elltwo.shrinking.krylov import pcg_path


def kernel() -> list[Row]:
    """n = 4000, 30 λ, leave-one-out."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 10))
    y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.3 * rng.normal(size=4000)
    alphas = np.geomspace(1e-3, 1e3, 30)
    K = rbf_kernel(X, gamma=0.05)
    t = measure(
        {
            "loo": lambda: elltwo.KernelRidgeCV(alphas, gamma=0.05).fit(X, y),
            "gcv": lambda: elltwo.KernelRidgeCV(alphas, gamma=0.05, rule="gcv").fit(X, y),
            "kernel": lambda: rbf_kernel(X, gamma=0.05),
            "eigh": lambda: linalg.eigh(K, driver="evd", check_finite=False),
        },
        runs=2,
    )
    grid = GridSearchCV(SklearnKernelRidge(kernel="rbf", gamma=0.05), {"alpha": alphas[::10]}, cv=5)
    theirs = once(lambda: grid.fit(X, y)) * 10
    job = "kernel ridge n=4000, 30 λ"
    return [
        at_most(job, "leave-one-out over kernel + EIGH", t["loo"], t["kernel"] + t["eigh"], 1.15),
        at_least(job, "leave-one-out against GridSearchCV 5-fold, 3 λ scaled to 30", t["loo"], theirs, 6),
        at_most(job, "GCV by tridiagonalization over kernel + EIGH", t["gcv"], t["kernel"] + t["eigh"], 0.75),
    ]


def banded() -> list[Row]:
    """n = 1000, 4 groups of 300 columns, one target; accuracy on 1000 held-out rows."""
    from himalaya.ridge import GroupRidgeCV

    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(4), 300)
    X = rng.normal(size=(2000, 1200))
    y = X @ (rng.normal(size=1200) * np.repeat([1.0, 0.3, 0.05, 0.0], 300)) / 10 + rng.normal(size=2000)
    train, held = slice(0, 1000), slice(1000, None)
    ours = elltwo.BandedRidgeCV(groups)
    seconds = measure({"fit": lambda: ours.fit(X[train], y[train])}, runs=2)["fit"]
    parts = [X[train, groups == g] for g in range(4)]
    peer = GroupRidgeCV(
        groups="input",
        fit_intercept=True,
        random_state=0,
        solver_params={"n_iter": 100, "progress_bar": False},
    )
    theirs = once(lambda: peer.fit(parts, y[train]))
    score = peer.score([X[held, groups == g] for g in range(4)], y[held])
    job = "banded ridge n=1000, 4 x 300"
    return [
        at_least(job, "against himalaya's random search, 100 draws", seconds, theirs, 10),
        at_least(
            job,
            "held-out R² over himalaya's (not seconds)",
            float(score),
            float(ours.score(X[held], y[held])),
            0.999,
        ),
    ]


def large() -> list[Row]:
    """200 000 × 50 000 sparse, 1e7 nonzeros, 10 λ at relative residual 1e-6."""
    rng = np.random.default_rng(2)
    n, p, nonzeros = 200_000, 50_000, 10**7
    columns = (rng.pareto(1.0, nonzeros) * 50).astype(np.int64) % p  # a few frequent columns, many rare ones
    X = sparse.csr_array(
        (rng.normal(size=nonzeros) + 0.5, (rng.integers(0, n, nonzeros), columns)), shape=(n, p)
    )
    y = X @ rng.normal(size=p) + 3 * rng.normal(size=n)
    alphas = np.geomspace(1, 1e4, 10)
    path = once(lambda: pcg_path(X, y[:, None], alphas, tol=1e-6))
    some = (0, 5, 9)
    theirs = sum(
        once(lambda a=alphas[i]: SklearnRidge(alpha=a, solver="sparse_cg", tol=1e-6).fit(X, y)) for i in some
    ) * (alphas.size / len(some))
    choose = once(lambda: elltwo.SparseRidgeCV(alphas).fit(X, y))
    job = "sparse 200000 x 50000, 10 λ"
    return [
        at_least(job, "path at 1e-6 against sparse_cg at 1e-6, 3 λ scaled to 10", path, theirs, 8),
        at_most(job, "λ chosen by probed GCV over the path alone", choose, path, 8),
    ]


def run() -> list[Row]:
    """All jobs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [*kernel(), *banded(), *large()]
