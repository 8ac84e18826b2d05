"""The Spectrum that steps of Golub–Kahan leave, with degrees of freedom from random probes.

Ritz values stand for the directions that b excites. Traces over *all* directions, which GCV needs, do not
follow from them (a projected GCV drives λ to zero); a second run started from a random sign vector
estimates tr φ(AAᵀ) by Gauss quadrature at the price of its products.

Golub & von Matt, J. Comput. Graph. Statist. 6 (1997) 1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from elltwo.factoring.clean import keep, svd_floor
from elltwo.factoring.golub_kahan import GolubKahan, OperatorForm
from elltwo.facts.rotated import Rotated
from elltwo.facts.spectrum import Free, Origin, Spectrum, Trace
from elltwo.laws.ridge import leftover

EARLIER, MOVED = 0.7, 0.05  # share of the steps looked back at; how far a residual or a trace may have moved


@dataclass(frozen=True)
class KrylovMap:
    """V = P Vₖ W: Ritz coordinates to coefficients.

    Attributes
    ----------
    form : standard form; vectors : (k, size) Vₖᵀ; W : (k, r) right singular vectors of B.
    square : (k, k) B without its last row: UₖᵀA = square · Vₖᵀ, so V squareᵀsquare Vᵀ ≤ AᵀA.
    """

    form: OperatorForm
    vectors: np.ndarray
    W: np.ndarray
    square: np.ndarray

    def __matmul__(self, y: np.ndarray) -> np.ndarray:
        """(n, ...) coefficients of the coordinates y (r, ...)."""
        targets = np.shape(y)[1:]
        flat = np.asarray(y).reshape(self.W.shape[1], int(np.prod(targets)))
        out = self.form.coefficients(self.vectors.T @ (self.W @ flat))
        return out.reshape(-1, *targets)

    def toarray(self) -> np.ndarray:
        """(n, r) the map itself."""
        return self @ np.eye(self.W.shape[1])


def probe_vector(form: OperatorForm, seed: int) -> np.ndarray:
    """Random signs, free directions projected out; their squared length is the number of rows left."""
    rng = np.random.default_rng(seed)
    q = rng.integers(0, 2, form.A.shape[0]) * 2.0 - 1.0
    return q - form.Q @ (form.Q.T @ q) if form.Q.shape[1] else q


def krylov_rotated(
    run: GolubKahan,
    probes: list[GolubKahan],
    b: np.ndarray,
    x0: np.ndarray | None = None,
    noise: float | None = None,
    exact: Trace | None = None,
) -> Rotated:
    """Return the Rotated that k steps of Golub–Kahan on b (m,) give, with traces from the probes or exact ones.

    ``b`` has A x0 subtracted already. Without either degrees of freedom are those of the subspace,
    which is a *projected* count: too small, as the origin says.
    """
    form = run.form
    m, n = form.A.shape
    B = run.bidiagonal
    W_left, s, Wt = np.linalg.svd(B, full_matrices=False) if B.shape[1] else _nothing(B)
    r = keep(s, svd_floor((m, n)), s.size)
    z = (run.start * W_left[0, :r])[:, None] if r else np.zeros((0, 1))
    free = (form.Q.T @ b)[:, None]
    total = run.start**2
    rest = max(total - float((z**2).sum()), 0.0)
    directions = min(m - form.Q.shape[1], form.size)
    spectrum = Spectrum(
        s=s[:r],
        map=KrylovMap(form, run.vectors, Wt[:r].T, B[:-1]),
        rows=None,
        free=Free(False, np.zeros(n), form.T),
        shape=(m, n),
        weight=float(m),
        dropped=0 if run.finished else max(directions - r, 0),
        origin=Origin("golub_kahan", _reason(len(run.betas), len(probes), exact), squared=False),
        x0=x0,
        trace=_counted(run, probes, m - form.Q.shape[1], exact),
    )
    return Rotated(spectrum, z, free, np.zeros(1), np.array([rest]), np.array([total]), None, noise)


def _nothing(B: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros((B.shape[0], 0)), np.zeros(0), np.zeros((0, 0))


def _counted(run: GolubKahan, probes: list[GolubKahan], rows: int, exact: Trace | None) -> Trace | None:
    if exact is None and not probes:
        return None
    trace = _trace(probes, rows) if exact is None else exact
    return replace(trace, floor=_floor(run, probes))


def _floor(run: GolubKahan, probes: list[GolubKahan]) -> float:
    """The strength above which the steps have converged.

    There the residual is no longer what it was after EARLIER of the steps, by more than MOVED, and the two ends of
    each probe's quadrature (Gauss, and Gauss-Radau with a node at 0) enclose the degrees of freedom left as closely.
    Below, residuals still fall with every step while a probe has not seen the directions they fall in, and GCV would
    go to λ = 0. Golub & Meurant, Matrices, Moments and Quadrature (2010), ch. 6.
    """
    B = run.bidiagonal
    early = int(EARLIER * B.shape[1])
    if early < 1:
        return 0.0
    alphas = np.geomspace(1e-15, 1e2, 120) * float(np.linalg.norm(B, 2)) ** 2
    unsure = np.zeros(alphas.size, dtype=bool)
    if not run.finished:
        now, before = _left(B, alphas, 2), _left(B[: early + 1, :early], alphas, 2)
        unsure |= before > (1 + MOVED) * now
    for probe in probes:
        if not probe.finished:
            upper, lower = _left(probe.bidiagonal, alphas, 1), _left(probe.bidiagonal[:-1], alphas, 1)
            unsure |= upper > (1 + MOVED) * lower
    last = np.flatnonzero(unsure)
    return 0.0 if not last.size else float(alphas[min(last[-1] + 1, alphas.size - 1)])


def _left(B: np.ndarray, alphas: np.ndarray, power: int) -> np.ndarray:
    """(L,) e₁ᵀ(λ(BBᵀ + λ)⁻¹)^power e₁: share of the residual, or of the rows left over, per unit of the start."""
    left, s, _ = np.linalg.svd(B, full_matrices=False)
    weights = left[0] ** 2
    outside = max(1.0 - float(weights.sum()), 0.0)
    return np.asarray(weights @ leftover(s, alphas) ** power + outside)


def _trace(probes: list[GolubKahan], rows: int) -> Trace:
    """Gauss quadrature: nodes are the singular values of a probe's B, weights its first left components.

    Weights sum to the number of rows; what falls on singular value zero is left to be counted as
    rows outside the range.
    """
    nodes, weights = [], []
    for probe in probes:
        B = probe.bidiagonal
        if not B.shape[1]:
            continue
        left, s, _ = np.linalg.svd(B, full_matrices=False)
        nodes.append(s)
        weights.append(rows / len(probes) * left[0] ** 2)
    s, count = np.concatenate([*nodes, np.zeros(0)]), np.concatenate([*weights, np.zeros(0)])
    order = np.argsort(-s, kind="stable")
    live = order[s[order] > 0]
    return Trace(s[live], count[live], sampled=True, apart=True)


def exact_trace(form: OperatorForm) -> Trace:
    """All singular values, from the rows of the operator: as many products with Aᵀ as there are data."""
    rows = np.stack([form.adjoint(row) for row in np.eye(form.A.shape[0])])
    s = np.linalg.svd(rows, compute_uv=False)
    live = s[: keep(s, svd_floor(rows.shape), min(rows.shape[0] - form.Q.shape[1], rows.shape[1]))]
    return Trace(live, np.ones(live.size), apart=True)


def _reason(steps: int, probes: int, exact: Trace | None) -> str:
    counted = "degrees of freedom counted in the subspace only"
    if exact is not None:
        counted = "degrees of freedom from all singular values, as the data are few"
    elif probes:
        counted = f"degrees of freedom from {probes} random probe{'s' if probes > 1 else ''}"
    return f"an operator too large to decompose: {steps} Golub-Kahan steps, {counted}"
