"""What deserves a look after a reconstruction: edges, rules that disagree, borders that do not fit."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from elltwo.facts.finding import Finding
from elltwo.facts.rotated import Rotated
from elltwo.facts.selection import Selection
from elltwo.facts.solution import Solution
from elltwo.inverse.prepare import Prepared
from elltwo.inverse.rules import doubt
from elltwo.operators import ConvolutionOperator, DifferenceOperator

DISAGREE = 10.0  # factor in λ = √α between the rule that decided and GCV
BORDER = 2.0  # mean squared residual within a PSF's reach of a border over that everywhere
_MODES = {"zero": "constant", "periodic": "wrap", "reflective": "reflect"}  # as SciPy calls them
ROUNDING = 1e-9  # of the data's length: residuals below it say nothing
LOUD = 2.0  # root mean square of the solution, seen through the PSF's sum, over that of the data


def doubts(p: Prepared, r: Rotated, selection: Selection, solution: Solution) -> tuple[Finding, ...]:
    """Return the findings of one reconstruction, gravest first."""
    found = [
        _border(p, solution),
        _undetermined(p, r),
        _edge(r, selection),
        _noise(r, solution),
        _disagreement(r, selection),
    ]
    return tuple(f for f in found if f is not None)


def _edge(r: Rotated, selection: Selection) -> Finding | None:
    if selection.rule == "given":
        return None
    alpha = float(selection.alpha[0])
    edge = selection.edge
    if selection.rule == "rgcv" and not edge and doubt(r, np.array([0.95 * alpha]))[0] > 1:
        edge = "low"
    trace = r.spectrum.trace
    if trace is not None and 0 < alpha < 1.1 * trace.floor:
        sentence = "The choice is the least strength that the Golub-Kahan steps have resolved."
        remedy = "More steps may allow a weaker one: pass steps=..., or give noise=..."
        return Finding("least-resolved", "info", alpha, trace.floor, sentence, remedy)
    texts = {
        "zero": (
            "λ = 0: no regularization does at least as well.",
            "Check that b carries noise, or give noise=...",
        ),
        "infinity": (
            "λ = ∞: the data do not improve on the prior mean and the free directions.",
            "Check the noise level, the scale of b against A x, and whether L is what you mean.",
        ),
        "low": (
            "The choice sits on the low edge of the strengths looked at.",
            "Try another rule, or give noise=...",
        ),
        "high": (
            "The choice sits on the high edge of the strengths looked at.",
            "Try another rule, or give noise=...",
        ),
    }
    if edge not in texts:
        return None
    sentence, remedy = texts[edge]
    return Finding("edge", "warning", alpha, None, sentence, remedy)


def _undetermined(p: Prepared, r: Rotated) -> Finding | None:
    """Free directions of L that A does not see either."""
    unseen = p.L.nullity if isinstance(p.L, DifferenceOperator) else 0
    lost = unseen - r.spectrum.free.rank
    if lost <= 0:
        return None
    what = "a direction" if lost == 1 else f"{lost} directions"
    sentence = (
        f"A does not see {what} that L leaves free (of {unseen}), so the data leave it open: it got nothing."
    )
    remedy = "Add L=None, a little of the identity, or a datum that sees it, if its size matters."
    return Finding("undetermined", "warning", float(lost), 0.0, sentence, remedy)


def _noise(r: Rotated, solution: Solution) -> Finding | None:
    if r.noise is None:
        return None
    size = float(np.sqrt(r.total[0] / max(r.spectrum.shape[0], 1)))
    if r.noise < size:
        return None
    sentence = f"The noise given, {r.noise:.3g} per datum, is as large as the data themselves, {size:.3g}."
    return Finding("noise-larger-than-data", "warning", r.noise, size, sentence, "Check its units.")


def _disagreement(r: Rotated, selection: Selection) -> Finding | None:
    gcv = selection.choices.get("gcv")
    if gcv is None or selection.rule in ("gcv", "given"):
        return None
    chosen, other = float(selection.alpha[0]), float(gcv[0])
    trace = r.spectrum.trace
    unresolved = trace is not None and other < trace.floor  # no strength for any rule to choose
    if unresolved or not (0 < chosen < np.inf):
        return None
    ratio = np.inf if other in (0.0, np.inf) else float(np.sqrt(max(chosen, other) / min(chosen, other)))
    if ratio <= DISAGREE:
        return None
    sentence = (
        f"{selection.rule} chose λ = {np.sqrt(chosen):.3g} and GCV would choose {np.sqrt(other):.3g}, "
        f"a factor of {ratio:.2g}."
    )
    return Finding(
        "rules-disagree", "warning", ratio, DISAGREE, sentence, "Look at both curves, or give noise=..."
    )


def _border(p: Prepared, solution: Solution) -> Finding | None:
    """Residuals that gather at the border: the picture continues otherwise than the boundary says."""
    A = p.original
    if not isinstance(A, ConvolutionOperator) or p.whitened or p.b.shape[1] != 1:
        return None
    reach = [q // 2 for q in A.psf.shape]
    shape = A.image_shape or ()
    if any(n <= 4 * h or h == 0 for n, h in zip(shape, reach, strict=True)):
        return None
    x, b = solution.coef[:, 0].reshape(shape), p.b[:, 0].reshape(shape)
    strips = [_strip(A, x, b, axis, reach[axis]) for axis in range(len(shape))]
    everywhere = float(solution.rss[0]) / b.size
    edge = max(float(s.mean()) for s in strips)
    length = float(np.linalg.norm(b))
    rounding = (ROUNDING * length) ** 2 / b.size  # of data fitted to the last digits
    ratio = edge / max(everywhere, rounding, np.finfo(float).tiny)
    size = float(np.linalg.norm(x)) * abs(float(A.psf.sum()))
    amplitude = size / max(length, 1e-300)
    if ratio <= BORDER and amplitude <= LOUD:
        return None
    seen = f"The residual gathers at the border ({ratio:.2g} times the average)"
    if ratio <= BORDER:
        seen = f"The solution is {amplitude:.2g} times as large as the data"
    sentence = f"{seen}: the {A.boundary!r} boundary does not fit."
    return Finding(
        "boundary-mismatch",
        "warning",
        ratio,
        BORDER,
        sentence,
        "Try boundary='reflective', rule='rgcv', or crop the border.",
    )


def _strip(A: ConvolutionOperator, x: np.ndarray, b: np.ndarray, axis: int, reach: int) -> np.ndarray:
    """Squared residuals within ``reach`` of the first border along an axis, from a small part of the picture.

    A periodic picture continues at its other end, so there the part is cut around the seam.
    """
    part = np.arange(-2 * reach, 3 * reach) if A.boundary == "periodic" else np.arange(3 * reach)
    first = 2 * reach if A.boundary == "periodic" else 0
    piece = x.take(part, axis=axis, mode="wrap")
    seen = np.arange(first, first + reach)
    if A.factors is None:
        whole = ConvolutionOperator(A.psf, piece.shape, A.boundary) @ piece.ravel()
        image = whole.reshape(piece.shape).take(seen, axis=axis)
    else:  # the short axis first: all but its first rows are then done with
        image = _along(piece, A, axis).take(seen, axis=axis)
        for other in set(range(x.ndim)) - {axis}:
            image = _along(image, A, other)
    return (b.take(np.arange(reach), axis=axis) - image) ** 2


def _along(field: np.ndarray, A: ConvolutionOperator, axis: int) -> np.ndarray:
    """One axis of a separable convolution."""
    assert A.factors is not None
    return ndimage.convolve1d(field, A.factors[axis], axis, mode=_MODES[A.boundary])
