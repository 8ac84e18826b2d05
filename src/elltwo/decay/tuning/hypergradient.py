"""λ by its hypergradient on a validation stream: one AdamW run that carries the derivative of its weights along."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from elltwo.decay.tuning.result import TunedDecay, positive
from elltwo.errors import InputError, UsageError
from elltwo.facts.decayplan import DecayPlan

__all__ = ["AdamWSensitivity", "by_hypergradient"]

Batches = Callable[[], Iterable[tuple[Any, Any]]]
Loss = Callable[[Any, Any], torch.Tensor]
Tensors = list[torch.Tensor]

_BETAS, _EPS = (0.9, 0.999), 1e-8
_EVERY, _RATE, _LATE = 10, 0.02, 0.75


@dataclass
class AdamWSensitivity:
    """AdamW on a model, with s = dw/d log λ of a λ held since the start.

    Differentiating w ← (1 − ηλ)w − η m̂/(√v̂ + ε) with √v̂ held fixed gives
    s ← (1 − ηλ)s − ηλw − η ṁ̂/(√v̂ + ε), ṁ ← β₁ṁ + (1 − β₁) C s, where C is the Gauss–Newton matrix of the batch:
    its product costs one forward and one backward pass, and it keeps s from growing without bound.
    """

    model: nn.Module
    loss: Loss
    decayed: list[bool]
    steps: int = 0
    moments: dict[str, Tensors] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = [n for n, p in self.model.named_parameters() if p.requires_grad]
        self.params = [p for p in self.model.parameters() if p.requires_grad]
        self.moments = {
            k: [torch.zeros_like(p) for p in self.params] for k in ("first", "second", "slope", "s")
        }

    def step(self, inputs: Any, target: Any, lr: float, weight_decay: float) -> None:
        """One AdamW step and the step of its derivative."""
        gradient, product = self._gradient_and_product(inputs, target)
        self.steps += 1
        m, v, slope, s = (self.moments[k] for k in ("first", "second", "slope", "s"))
        corrections = [1 - b**self.steps for b in _BETAS]
        with torch.no_grad():
            torch._foreach_lerp_(m, gradient, 1 - _BETAS[0])
            torch._foreach_lerp_(v, [g * g for g in gradient], 1 - _BETAS[1])
            torch._foreach_lerp_(slope, product, 1 - _BETAS[0])
            for i, p in enumerate(self.params):
                scale = lr / corrections[0] / ((v[i] / corrections[1]).sqrt() + _EPS)
                if self.decayed[i]:
                    s[i].mul_(1 - lr * weight_decay).sub_(p, alpha=lr * weight_decay)
                    p.mul_(1 - lr * weight_decay)
                s[i].addcmul_(scale, slope[i], value=-1)
                p.addcmul_(scale, m[i], value=-1)

    def slope_of(self, inputs: Any, target: Any) -> float:
        """d loss/d log λ = ⟨∇loss(w), s⟩ on one batch."""
        with torch.enable_grad():
            value = self.loss(self.model(inputs), target)
            gradient = torch.autograd.grad(value, self.params, allow_unused=True, materialize_grads=True)
        return sum(float((g * s).sum()) for g, s in zip(gradient, self.moments["s"], strict=True))

    def _gradient_and_product(self, inputs: Any, target: Any) -> tuple[Tensors, Tensors]:
        with torch.enable_grad():
            output = self.model(inputs)
            at = output.detach().requires_grad_()
            value = self.loss(at, target)
            if not torch.isfinite(value):
                raise InputError("the training loss is not finite: lower lr or start")
            (outer,) = torch.autograd.grad(value, at, create_graph=True)
            gradient = self._pulled_back(output, outer.detach(), keep=True)
            moved = self._moved_output(inputs, output)
            if moved is None:
                return gradient, [torch.zeros_like(p) for p in self.params]
            (curved,) = torch.autograd.grad(outer, at, moved)
            return gradient, self._pulled_back(output, curved, keep=False)

    def _pulled_back(self, output: torch.Tensor, outer: torch.Tensor, *, keep: bool) -> Tensors:
        pulled = torch.autograd.grad(
            output, self.params, outer, retain_graph=keep, allow_unused=True, materialize_grads=True
        )
        return list(pulled)

    @torch.no_grad()
    def _moved_output(self, inputs: Any, output: torch.Tensor) -> torch.Tensor | None:
        """J s by a difference of outputs; None while s is zero."""
        s = self.moments["s"]
        size = math.sqrt(sum(float(x.square().sum()) for x in s))
        if size == 0:
            return None
        norm = math.sqrt(sum(float(p.square().sum()) for p in self.params))
        h = 1e-3 * norm / size
        shifted = {n: p + h * x for n, p, x in zip(self.names, self.params, s, strict=True)}
        return (torch.func.functional_call(self.model, shifted, (inputs,)) - output) / h


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
) -> TunedDecay:
    """One AdamW run of a copy, η falling linearly, whose log λ follows d(validation loss)/d log λ downhill.

    Every 10 steps log λ moves by about 0.02 against the slope on one validation batch; λ is the geometric mean over the
    last quarter of the run. Source: forward mode of Franceschi et al., arXiv:1703.01785, with the Gauss–Newton matrix.
    """
    positive("lr", lr)
    positive("steps", steps)
    net = deepcopy(model).train()
    decayed = _decayed(net, plan)
    first = 2.0 / (lr * steps) if start is None else positive("start", start)
    run = AdamWSensitivity(net, loss, decayed)
    path = _follow(run, _endless(batches, "batches"), _endless(validation, "validation"), steps, lr, first)
    late = path[int(_LATE * len(path)) :]
    chosen = math.exp(sum(late) / len(late))
    swing = math.exp(max(late) - min(late))
    said = [
        f"One AdamW run of {steps} steps moved λ from {first:.4g} to {chosen:.4g} along its hypergradient, "
        f"{len(path)} times.",
        f"In the last quarter λ stayed within a factor {swing:.3g}"
        + ("." if swing < 2 else ": it has not settled; try the pilot instead."),
        "Beware: the slope is that of the loss at the time, not at the end of the run.",
    ]
    if max(path) - min(path) < 0.05:
        said.append("λ hardly moved: the validation loss does not react to it here.")
    return TunedDecay(chosen, "hypergradient", (), 2.0 + 1.0 / _EVERY, tuple(said))


def _follow(
    run: AdamWSensitivity,
    batches: Iterator[tuple[Any, Any]],
    validation: Iterator[tuple[Any, Any]],
    steps: int,
    lr: float,
    start: float,
) -> list[float]:
    """log λ after every update; Adam on the slope, so that its size does not matter."""
    log_decay, mean, square, path = math.log(start), 0.0, 0.0, list[float]()
    for t in range(int(steps)):
        rate = lr * (1 - t / steps)
        run.step(*next(batches), rate, math.exp(log_decay))
        if t % _EVERY == _EVERY - 1:
            slope = run.slope_of(*next(validation))
            mean, square = 0.8 * mean + 0.2 * slope, 0.95 * square + 0.05 * slope * slope
            k = len(path) + 1
            size = math.sqrt(square / (1 - 0.95**k))
            log_decay -= _RATE * mean / (1 - 0.8**k) / size if size > 0 else 0.0
            log_decay = min(log_decay, math.log(0.5 / lr))
            path.append(log_decay)
    if not path:
        raise InputError(
            f"a run of {steps} steps is too short for a hypergradient: it needs {_EVERY} at least"
        )
    return path


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
