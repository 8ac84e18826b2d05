"""λ by training runs: a sweep at full size, or one on part of the data carried by the timescale rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from elltwo.decay.tuning.result import TunedDecay, positive
from elltwo.errors import InputError
from elltwo.laws.decay_rescale import factor_for

__all__ = ["Train", "by_bracket", "by_grid", "by_pilot"]

_EXTENSIONS = 4

Train = Callable[[float, int], float]


def by_pilot(
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
    return TunedDecay(chosen, "pilot", tuple(tried), cost, tuple(said))


def by_grid(*, train: Train, samples: int, grid: Sequence[float] | None = None) -> TunedDecay:
    """A sweep at full size: the judge of the others."""
    best, tried, said = _sweep(train, _grid(grid), samples)
    return TunedDecay(best, "grid", tuple(tried), float(len(tried)), (f"{len(tried)} full runs.", *said))


def by_bracket(*, train: Train, samples: int, start: float, factor: float = 2.0, runs: int = 3) -> TunedDecay:
    """Full runs at ``start``, at ``factor`` times it, and on from there downhill; the vertex in log λ."""
    positive("start", start)
    if not 1 < factor < math.inf or isinstance(runs, bool) or not isinstance(runs, int) or runs < 3:
        raise InputError(
            f"factor must be above 1 and runs a whole number of at least 3, got {factor!r} and {runs!r}"
        )
    losses = {p: _loss(train, p, samples) for p in (start, start * factor)}
    while len(losses) < runs and (edge := _edge(losses)) is not None:
        further = edge * factor if edge == max(losses) else edge / factor
        losses[further] = _loss(train, further, samples)
    if not math.isfinite(min(losses.values())):
        raise InputError("every run gave a loss that is not finite: lower the learning rate or start")
    best, said = _best_of(losses)
    tried = [(p, samples, losses[p]) for p in sorted(losses)]
    said = [f"{len(losses)} full runs from {start:.4g} on, each {factor:g} times the last, downhill.", *said]
    return TunedDecay(best, "bracket", tuple(tried), float(len(losses)), tuple(said))


def _edge(losses: dict[float, float]) -> float | None:
    """The best strength where it is the smallest or the largest tried."""
    best = min(losses, key=lambda p: losses[p])
    return best if best in (min(losses), max(losses)) else None


def _best_of(losses: dict[float, float]) -> tuple[float, list[str]]:
    """The vertex of the parabola through the best and its neighbours; on an edge, the edge, and that it is one."""
    order = sorted(losses)
    best = min(order, key=lambda p: losses[p])
    if best in (order[0], order[-1]):
        side = "smallest" if best == order[0] else "largest"
        return best, [f"It is still on the edge: the {side} λ tried is the best; decay may not matter here."]
    around = order[order.index(best) - 1 : order.index(best) + 2]
    return _vertex(around, [losses[p] for p in around]), []


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
    best, more = _best_of(losses)
    return best, [(p, rows, losses[p]) for p in sorted(losses)], [*said, *more]


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
