"""Which factorization, decided by shape before anything is computed, and said in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scipy import sparse

from elltwo.errors import unknown_option
from elltwo.factoring.dual import factor_dual
from elltwo.factoring.gram import factor_gram
from elltwo.factoring.rotate import without_prior
from elltwo.factoring.svd import factor_svd
from elltwo.facts.problem import Penalty, Problem
from elltwo.facts.rotated import Rotated

SMALL = 4e7  # n·p·min(n, p) up to which an SVD takes a fraction of a second

METHODS: dict[str, Callable[[Problem, str], Rotated]] = {
    "svd": factor_svd,
    "gram": factor_gram,
    "dual": factor_dual,
}


@dataclass(frozen=True)
class Route:
    """A factorization method and the reason for it."""

    method: str
    reason: str


def choose(A: Any, penalty: Penalty, method: str = "auto") -> Route:
    """Choose svd, gram or dual by shape, storage and penalty.

    | design | route |
    |---|---|
    | dense, n·p·min(n, p) ≤ 4e7 | svd: most digits, and it costs nothing that matters |
    | n ≥ p | gram: one pass, p × p eigenvectors, no copy of the rows |
    | n < p, L identity or positive diagonal | dual: n × n eigenvectors |
    | n < p, general L or free columns | gram when sparse, else svd |
    """
    if method != "auto":
        if method not in METHODS:
            raise unknown_option("factorization", method, ["auto", *METHODS])
        return Route(method, "asked for by name")
    n, p = A.shape
    if not sparse.issparse(A) and float(n) * p * min(n, p) <= SMALL:
        return Route("svd", f"{n} x {p} is small, and an SVD keeps the most digits")
    if n >= p:
        return Route("gram", f"{n} rows over {p} columns: one pass for the {p} x {p} Gram matrix")
    simple = penalty.operator is None and (penalty.scale is None or bool((penalty.scale > 0).all()))
    if simple:
        return Route("dual", f"{p} columns over {n} rows: the {n} x {n} kernel matrix is smaller")
    if sparse.issparse(A):
        return Route("gram", "sparse and wide with free directions: the Gram matrix handles them")
    return Route("svd", "wide with free directions or a general L: an SVD handles them")


def factor(problem: Problem, method: str = "auto") -> Rotated:
    """Factor a problem once: the Spectrum of its design, met by its targets.

    minimise Σᵢ wᵢ (bᵢ − g − aᵢᵀx)² + λ‖L(x − x0)‖² is then solved for every λ by shrinking.
    """
    route = choose(problem.A, problem.penalty, method)
    return METHODS[route.method](without_prior(problem), route.reason)
