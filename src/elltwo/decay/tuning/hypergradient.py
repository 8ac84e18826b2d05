"""λ by its hypergradient: a run that carries dw/d log λ along, and Newton's step on the validation loss at its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from torch import nn

from elltwo.decay.tuning.result import TunedDecay, positive
from elltwo.decay.tuning.sensitivity import COUPLED, Loss, WeightSensitivity
from elltwo.errors import InputError, UsageError, unknown_option
from elltwo.facts.decayplan import DecayPlan

__all__ = ["by_hypergradient"]

Batches = Callable[[], Iterable[tuple[Any, Any]]]

_FARTHEST = 4.0


def by_hypergradient(
    *,
    model: nn.Module,
    batches: Batches,
    validation: Batches,
    steps: int,
    lr: float = 1e-3,
    start: float | None = None,
    plan: DecayPlan | None = None,
    loss: Loss = nn.functional.cross_entropy,
    optimizer: str = "adamw",
    momentum: float = 0.9,
    rounds: int = 3,
) -> TunedDecay:
    """Newton's step in log λ of the loss on ``validation`` after one run of ``steps`` steps, η falling linearly.

    Slope ⟨∇L, s⟩ and curvature sᵀ C s are those of the final loss, s = dw/d log λ being carried through the whole run.
    A step ends at a factor of four; where it would go further, another run starts from there, up to ``rounds``.

    ``optimizer``: "adamw", "adam" (λ coupled) or "sgd" (coupled, with ``momentum``), in torch's conventions.
    ``start``: λ with Σ η_t λ = 1 unless given (Adam's coupled λ has no timescale, so there it must be).
    Sources: forward mode of Franceschi et al., arXiv:1703.01785, with the Gauss–Newton matrix for the Hessian.
    """
    positive("lr", lr)
    for name, value in (("steps", steps), ("rounds", rounds)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")
    if optimizer not in COUPLED:
        raise unknown_option("optimizer", optimizer, COUPLED)
    if not 0 <= momentum < 1:
        raise InputError(f"momentum must lie between 0 and 1, got {momentum!r}")
    decayed = _decayed(model, plan)
    # What one step's decay takes from a weight, over ηλ.
    share = 1.0 / (1.0 - momentum) if optimizer == "sgd" else 1.0
    first = _started(optimizer, lr * share, steps) if start is None else positive("start", start)
    limit = math.inf if optimizer == "adam" else 0.5 / (lr * share)
    path, moves = [first], list[_Move]()
    while len(moves) < rounds and (not moves or moves[-1].cut):
        run = WeightSensitivity(deepcopy(model).train(), loss, decayed, optimizer, momentum)
        stream = _endless(batches, "batches")
        for t in range(steps):
            run.step(*next(stream), lr * (1 - t / steps), path[-1])
        moves.append(_newton(run, validation))
        path.append(min(path[-1] * moves[-1].factor, limit))
    return _result(path, moves, steps, optimizer)


@dataclass(frozen=True)
class _Move:
    """Slope and curvature of the validation loss in log λ at the end of a run, and the factor for λ."""

    slope: float
    curvature: float

    @property
    def full(self) -> float:
        if self.curvature <= 0:
            return 0.0 if self.slope == 0 else -math.copysign(math.inf, self.slope)
        return -self.slope / self.curvature

    @property
    def cut(self) -> bool:
        return abs(self.full) > math.log(_FARTHEST)

    @property
    def factor(self) -> float:
        return math.exp(min(max(self.full, -math.log(_FARTHEST)), math.log(_FARTHEST)))


def _newton(run: WeightSensitivity, validation: Batches) -> _Move:
    """Averages over the whole validation stream, each batch by its size; dropout off."""
    run.model.eval()
    slope = curvature = rows = 0.0
    for inputs, target in validation():
        n = len(target)
        rows += n
        slope += n * run.slope_of(inputs, target)
        curvature += n * run.curvature_of(inputs, target)
    if not rows:
        raise InputError("validation() gave no batch: it must return a fresh iterable of (inputs, targets)")
    if not (math.isfinite(slope) and math.isfinite(curvature)):
        raise InputError("the validation loss is not finite at the end of the run: lower lr or start")
    return _Move(slope / rows, curvature / rows)


def _started(optimizer: str, rate: float, steps: int) -> float:
    if optimizer == "adam":
        raise UsageError(
            "coupled λ under Adam has no timescale to start from: pass start=, for example 1/samples, which is a "
            "Gaussian prior of unit variance"
        )
    return 2.0 / (rate * steps)


def _result(path: list[float], moves: list[_Move], steps: int, optimizer: str) -> TunedDecay:
    name, last = {"adamw": "AdamW", "adam": "Adam", "sgd": "SGD"}[optimizer], moves[-1]
    runs = f"One {name} run" if len(moves) == 1 else f"{len(moves)} {name} runs"
    said = [
        f"{runs} of {steps} steps moved λ {' → '.join(f'{x:.4g}' for x in path)} by Newton's step in log λ"
        + (" (λ is coupled)." if COUPLED[optimizer] else "."),
        f"At λ = {path[-2]:.4g} the validation loss after the run has slope {last.slope:+.3g} in log λ and curvature "
        f"{last.curvature:.3g}.",
    ]
    if last.cut:
        said.append(
            f"The last step was cut at a factor of {_FARTHEST:g}: λ has not settled; go on from start={path[-1]:.4g}."
        )
    elif abs(last.full) < 0.05:
        said.append("λ hardly moved: where it started is as good as this can tell.")
    said.append(
        "Beware: slope and curvature are Gauss–Newton estimates; a step beyond a factor of two deserves another run."
    )
    return TunedDecay(path[-1], "hypergradient", (), 2.0 * len(moves), tuple(said))


def _decayed(net: nn.Module, plan: DecayPlan | None) -> list[bool]:
    trained = {n: p for n, p in net.named_parameters() if p.requires_grad}
    if plan is None:
        return [p.dim() > 1 for p in trained.values()]
    rows = {name: row for row in plan.rows for name in (row.name, *row.aliases)}
    chosen = {n for n, row in rows.items() if row.strength > 0}
    if chosen and all(rows[n].scale_invariant == "proven" for n in chosen):
        raise UsageError(
            "every decayed tensor of this plan is scale-invariant: the loss does not react to its size, so there is "
            "no such slope; use the pilot"
        )
    return [n in chosen for n in trained]


def _endless(batches: Batches, name: str) -> Iterator[tuple[Any, Any]]:
    while True:
        empty = True
        for pair in batches():
            empty = False
            yield pair
        if empty:
            raise InputError(f"{name}() gave no batch: it must return a fresh iterable of (inputs, targets)")
