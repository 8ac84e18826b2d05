"""Which Spectrum: chosen by structure and size, and said in one sentence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from elltwo.errors import InputError, unknown_option
from elltwo.factoring.bidiagonal import factor_bidiagonal
from elltwo.factoring.golub_kahan import GolubKahan
from elltwo.factoring.krylov_spectrum import exact_trace, krylov_rotated, probe_vector
from elltwo.factoring.operator_form import operator_form
from elltwo.factoring.structured import factor_structured
from elltwo.factoring.svd import factor_svd
from elltwo.facts.problem import Penalty, Problem
from elltwo.facts.rotated import Rotated
from elltwo.facts.spectrum import Trace
from elltwo.inverse.prepare import Prepared
from elltwo.inverse.rules import chosen_rule
from elltwo.operators import MatrixOperator
from elltwo.selecting import select

METHODS = ("auto", "structured", "bidiagonal", "svd", "golub_kahan")
ENTRIES, FLOPS = 6e6, 1.2e10  # a matrix up to these is decomposed; beyond them it is multiplied
BLOCK, MOST = 20, 300  # Golub-Kahan steps between two looks, and at most
PROBED = 1000  # data times probes that make a trace precise enough
FEW = 300  # data up to which all singular values cost fewer products than that many probes
EDGE = 1.1  # a choice nearer than this to the least strength that the steps resolve is not settled
GAP, STILL = 1e-3, 0.02  # the normal equations' residual, and the change of log λ, at which to stop


def choose_method(p: Prepared, method: str, needs_rows: bool) -> str:
    """Return the maker of the Spectrum.

    | problem | maker |
    |---|---|
    | convolution or Kronecker product that a transform diagonalises together with L | structured |
    | a rule that reads the rows (loo, ncp) | svd |
    | up to 6e6 entries and 1.2e10 operations | bidiagonal |
    | anything else that multiplies | golub_kahan |
    """
    if method not in METHODS:
        raise unknown_option("method", method, METHODS)
    if method != "auto":
        return method
    if not needs_rows and p.diagonal is not None:
        return "structured"
    m, n = p.A.shape
    if m * n <= ENTRIES and float(m) * n * min(m, n) <= FLOPS:
        return "svd" if needs_rows else "bidiagonal"
    return "golub_kahan"


def rotated_for(
    p: Prepared, method: str, rule: str, steps: int | None, probes: int | None, seed: int
) -> Rotated:
    """Make the Spectrum and meet b with it."""
    if method == "structured":
        if p.diagonal is None:
            raise InputError("no transform diagonalises this A and L together: use method='auto'")
        return factor_structured(p.diagonal, p.b, _image(p), p.x0, p.noise)
    if method == "bidiagonal":
        return factor_bidiagonal(_dense(p), p.b, p.L, p.x0, p.noise)
    if method == "svd":
        operator = None if p.L is None else p.L.todense()
        penalty = Penalty(operator=operator, x0=p.x0)
        image = _image(p)
        b = p.b if image is None else p.b - image
        problem = Problem(_dense(p), b, intercept=False, penalty=penalty)
        made = factor_svd(problem, "rows are kept for a rule that reads them")
        return replace(made, noise=p.noise)
    if p.b.shape[1] != 1:
        raise InputError(
            "Golub-Kahan works on one right-hand side at a time: call reconstruct for each column of b"
        )
    return _golub_kahan(p, rule, steps, probes, seed)


def _golub_kahan(p: Prepared, rule: str, steps: int | None, probes: int | None, seed: int) -> Rotated:
    """Steps until λ and the solution stand still, or exactly as many as asked for."""
    form = operator_form(p.A, p.L)
    image = _image(p)
    b = p.b[:, 0] if image is None else p.b[:, 0] - image[:, 0]
    start = b - form.Q @ (form.Q.T @ b) if form.Q.shape[1] else b
    run = GolubKahan(form, start, True, steps or 3 * BLOCK)
    exact = exact_trace(form) if probes is None and b.size <= FEW else None
    if exact is not None:
        probes = 0
    elif probes is None:  # a trace over m rows by q probes has a relative deviation of √(2/(m q))
        probes = max(1, -(-PROBED // b.size))
    small = b.size < PROBED  # steps may exhaust the space: orthogonal vectors then find every direction
    sampled = [GolubKahan(form, probe_vector(form, seed + 1 + j), small, BLOCK) for j in range(probes)]
    if steps is not None:
        _extend([run, *sampled], steps)
        return krylov_rotated(run, sampled, b, p.x0, p.noise, exact)
    return _until_still(run, sampled, exact, b, p, rule)


def _until_still(
    run: GolubKahan, sampled: list[GolubKahan], exact: Trace | None, b: np.ndarray, p: Prepared, rule: str
) -> Rotated:
    previous = np.nan
    for _ in range(MOST // BLOCK):
        _extend([run, *sampled], BLOCK)
        rotated = krylov_rotated(run, sampled, b, p.x0, p.noise, exact)
        if run.finished or not rotated.spectrum.s.size:
            break
        alpha = float(select(rotated, chosen_rule(rule, rotated), others=False).alpha[0])
        log = np.log(alpha) if 0 < alpha < np.inf else np.inf
        trace = rotated.spectrum.trace
        judged = trace is None or alpha > EDGE * trace.floor
        if judged and abs(log - previous) < STILL and _gap(run, rotated, alpha) < GAP:
            break
        previous = log
    return rotated


def _gap(run: GolubKahan, rotated: Rotated, alpha: float) -> float:
    """‖Aᵀ(b − Ax) − λx‖/‖Aᵀb‖ = αₖ₊₁βₖ₊₁|yₖ|/(α₁β₁) of the subspace solution."""
    s = rotated.spectrum.s
    y = rotated.spectrum.map.W[-1] @ (s / (s**2 + alpha) * rotated.z[:, 0])  # type: ignore[attr-defined]  # a KrylovMap
    return run.next_alpha * run.betas[-1] * abs(float(y)) / (run.alphas[0] * run.start)


def _extend(runs: list[GolubKahan], steps: int) -> None:
    for run in runs:
        run.extend(steps)


def _dense(p: Prepared) -> np.ndarray:
    return (
        p.A.matrix
        if isinstance(p.A, MatrixOperator) and isinstance(p.A.matrix, np.ndarray)
        else p.A.todense()
    )


def _image(p: Prepared) -> np.ndarray | None:
    if p.x0 is None:
        return None
    image = p.A @ p.x0
    return np.broadcast_to(image.reshape(p.A.shape[0], -1), p.b.shape)
