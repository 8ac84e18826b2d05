"""λ chosen: a pilot on part of the data carried by the timescale rule, a norm target, the last layer's evidence."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from elltwo.errors import InputError, UsageError, unknown_option
from elltwo.laws.decay import as_weight_decay
from elltwo.laws.decay_rescale import factor_for

__all__ = ["METHODS", "TunedDecay", "tune_weight_decay"]

_EXTENSIONS = 4

Train = Callable[[float, int], float]


@dataclass(frozen=True)
class TunedDecay:
    """A chosen strength and how it came about.

    ``tried`` holds (λ, rows, validation loss) of every run; ``cost`` counts them in full runs. ``said``
    are sentences: what was done, and what to beware of.
    """

    weight_decay: float
    method: str
    tried: tuple[tuple[float, int, float], ...]
    cost: float
    said: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join(
            [f"weight_decay = {self.weight_decay:.4g} ({self.method})", *(f"- {s}" for s in self.said)]
        )


def tune_weight_decay(train: Train | None = None, *, method: str = "timescale", **options: Any) -> TunedDecay:
    """Choose λ by one of :data:`METHODS`; never silently inert: the result says what was done.

    Parameters
    ----------
    train : callable, for ``"timescale"`` and ``"grid"``
        ``train(weight_decay, rows)`` trains on that many rows (same learning rate, batch and epochs) and returns
        the validation loss.
    method : str
        - ``"timescale"``: sweeps λ on ``share`` of the ``samples`` (1/8), with λ larger by 1/share, and carries the
          best by λ ∝ 1/N (Wang & Aitchison, arXiv:2405.13698). Options ``samples``, ``grid``, ``share``.
        - ``"grid"``: sweeps at full size. Options ``samples``, ``grid``.
        - ``"norm"``: λ = η/(2 rms²), whose AdamW equilibrium has entries of that size. Options ``lr``, ``rms``.
        - ``"evidence"``: the exact marginal likelihood of the last layer as ridge on its inputs; λ for the head
          alone, coupled, on torch's mean squared error. Options ``features`` (n, p), ``targets`` (n,) or (n, t).

    Raises
    ------
    UsageError, InputError
        For an unknown method or option, or when every run fails to give a finite loss.
    """
    if method not in METHODS:
        raise unknown_option("method", method, METHODS)
    if method in ("timescale", "grid"):
        if not callable(train):
            raise UsageError(f"method {method!r} needs train(weight_decay, rows) -> validation loss")
        options["train"] = train
    try:
        return METHODS[method](**options)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise UsageError(f"tune_weight_decay, method {method!r}: {str(error).split('() ')[-1]}") from error


def by_timescale(
    *, train: Train, samples: int, grid: Sequence[float] | None = None, share: float = 0.125
) -> TunedDecay:
    """A sweep at ``share`` of the data, carried by the rule."""
    if not 0 < share < 1:
        raise InputError(f"share must lie between 0 and 1, got {share!r}")
    rows = max(1, round(share * samples))
    carried = factor_for("samples", rows, samples)
    points = _grid(grid) / carried.decay_factor
    best, tried, said = _sweep(train, points, rows)
    chosen = best * carried.decay_factor
    cost = sum(n for _, n, _ in tried) / samples
    said = [
        f"{len(tried)} runs on {rows} of {samples} rows cost {cost:.3g} full runs; their best λ {best:.4g} was "
        f"carried by {carried.rule.formula} ({carried.rule.source}).",
        *said,
        f"Beware: {carried.rule.limits}.",
    ]
    return TunedDecay(chosen, "timescale", tuple(tried), cost, tuple(said))


def by_grid(*, train: Train, samples: int, grid: Sequence[float] | None = None) -> TunedDecay:
    """A sweep at full size: the judge of the others."""
    best, tried, said = _sweep(train, _grid(grid), samples)
    return TunedDecay(best, "grid", tuple(tried), float(len(tried)), (f"{len(tried)} full runs.", *said))


def by_norm(*, lr: float, rms: float) -> TunedDecay:
    """λ whose AdamW equilibrium has entries of root mean square ``rms``."""
    for name, value in (("lr", lr), ("rms", rms)):
        if not (isinstance(value, (int, float)) and 0 < value < math.inf):
            raise InputError(f"{name} must be a positive number, got {value!r}")
    said = (
        "No run: λ = η/(2 rms²) (elltwo.laws.decay_equilibrium.equilibrium_norm_adamw).",
        "Beware: an order of magnitude, for AdamW with updates uncorrelated over time; watch it with Monitor.",
    )
    return TunedDecay(lr / (2.0 * rms**2), "norm", (), 0.0, said)


def by_evidence(*, features: ArrayLike, targets: ArrayLike) -> TunedDecay:
    """λ of the last layer that maximises the marginal likelihood of ridge on its inputs, exactly."""
    from elltwo.factoring import factor
    from elltwo.facts.problem import Problem
    from elltwo.selecting import select

    a, b = np.asarray(features, dtype=float), np.asarray(targets, dtype=float)
    b = b[:, None] if b.ndim == 1 else b
    if a.ndim != 2 or b.ndim != 2 or len(a) != len(b) or len(a) < 3:
        raise InputError(
            f"features (n, p) and targets (n, t) must have the same rows, got {a.shape} and {b.shape}"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("features or targets hold NaN or infinity: remove those rows")
    alpha = float(select(factor(Problem(a, b)), "evidence", per_target=False, others=False).alpha[0])
    # torch's mean squared error also averages over the t targets.
    decay = as_weight_decay(alpha, len(a)) / b.shape[1]
    said = (
        f"Exact evidence of ridge on {a.shape[1]} features and {len(a)} rows: α = {alpha:.4g}, in torch's mean squared "
        f"error with coupled decay λ = 2α/(n t) = {decay:.4g}; the bias is free.",
        "Beware: for the last layer alone, at the features as they are now.",
    )
    return TunedDecay(decay, "evidence", (), 0.0, said)


METHODS: dict[str, Callable[..., TunedDecay]] = {
    "timescale": by_timescale,
    "grid": by_grid,
    "norm": by_norm,
    "evidence": by_evidence,
}


def _grid(grid: Sequence[float] | None) -> NDArray[np.float64]:
    points = np.geomspace(1e-3, 10.0, 9) if grid is None else np.sort(np.asarray(grid, dtype=float))
    if points.ndim != 1 or len(points) < 3 or not np.all(np.isfinite(points)) or points[0] <= 0:
        raise InputError("grid must hold at least three positive numbers")
    return points


def _sweep(
    train: Train, points: NDArray[np.float64], rows: int
) -> tuple[float, list[tuple[float, int, float]], list[str]]:
    """Losses over the grid, extended while the best lies on its edge; the vertex in log λ."""
    losses = {float(p): _loss(train, float(p), rows) for p in points}
    said: list[str] = []
    for _ in range(_EXTENSIONS):
        order = sorted(losses)
        best = min(order, key=lambda p: losses[p])
        if not math.isfinite(losses[best]):
            raise InputError(
                "every run gave a loss that is not finite: lower the learning rate or the grid of λ"
            )
        if best not in (order[0], order[-1]):
            break
        ratio = order[1] / order[0] if best == order[0] else order[-1] / order[-2]
        further = best / ratio if best == order[0] else best * ratio
        losses[further] = _loss(train, further, rows)
        said.append(f"The best λ {best:.3g} lay on the edge of the grid, so {further:.3g} was tried too.")
    order = sorted(losses)
    best = min(order, key=lambda p: losses[p])
    if best in (order[0], order[-1]):
        side = "smallest" if best == order[0] else "largest"
        said.append(f"It is still on the edge: the {side} λ tried is the best; decay may not matter here.")
        return best, [(p, rows, losses[p]) for p in order], said
    i = order.index(best)
    return (
        _vertex(order[i - 1 : i + 2], [losses[p] for p in order[i - 1 : i + 2]]),
        [(p, rows, losses[p]) for p in order],
        said,
    )


def _loss(train: Train, weight_decay: float, rows: int) -> float:
    value = float(train(weight_decay, rows))
    return value if math.isfinite(value) else math.inf


def _vertex(points: list[float], values: list[float]) -> float:
    """exp of the minimiser of the parabola in log λ; the middle point where a neighbour failed."""
    if not all(map(math.isfinite, values)):
        return points[1]
    x = np.log(points)
    a, b, _ = np.polyfit(x, values, 2)
    return float(np.exp(np.clip(-b / (2 * a), x[0], x[2]))) if a > 0 else points[1]
