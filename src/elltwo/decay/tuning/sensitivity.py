"""A training run that carries the derivative of its weights by log λ along."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from elltwo.errors import InputError

__all__ = ["COUPLED", "Loss", "WeightSensitivity"]

Loss = Callable[[Any, Any], torch.Tensor]
Tensors = list[torch.Tensor]

#: optimizers whose step is carried along, and whether λ enters the gradient
COUPLED = {"adamw": False, "adam": True, "sgd": True}
_BETAS, _EPS = (0.9, 0.999), 1e-8


@dataclass
class WeightSensitivity:
    """torch's AdamW, Adam or SGD on a model, with s = dw/d log λ of a λ held since the start.

    Decoupled, w ← (1 − ηλ)w − η u gives s ← (1 − ηλ)s − ηλw − η u̇. Coupled, g + λw takes the place of the gradient g,
    and C s + λs + λw that of its derivative C s, where C is the Gauss–Newton matrix of the batch: its product costs one
    forward and one backward pass, and it keeps s from growing without bound. Moments carry
    their derivatives along.
    """

    model: nn.Module
    loss: Loss
    decayed: list[bool]
    optimizer: str = "adamw"
    momentum: float = 0.9
    steps: int = 0
    moments: dict[str, Tensors] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = [n for n, p in self.model.named_parameters() if p.requires_grad]
        self.params: Tensors = [p for p in self.model.parameters() if p.requires_grad]
        self.moments = {
            k: [torch.zeros_like(p) for p in self.params]
            for k in ("first", "second", "slope", "second slope", "s")
        }

    def step(self, inputs: Any, target: Any, lr: float, weight_decay: float) -> None:
        """One step of the optimizer and the step of its derivative."""
        gradient, product = self._gradient_and_product(inputs, target)
        self.steps += 1
        with torch.no_grad():
            if COUPLED[self.optimizer]:
                self._couple(gradient, product, weight_decay)
            update = self._sgd if self.optimizer == "sgd" else self._adam
            directions, slopes = update(gradient, product)
            for p, s, decayed in zip(self.params, self.moments["s"], self.decayed, strict=True):
                if decayed and not COUPLED[self.optimizer]:
                    s.mul_(1 - lr * weight_decay).sub_(p, alpha=lr * weight_decay)
                    p.mul_(1 - lr * weight_decay)
            torch._foreach_add_(self.moments["s"], slopes, alpha=-lr)
            torch._foreach_add_(self.params, directions, alpha=-lr)

    def _couple(self, gradient: Tensors, product: Tensors, weight_decay: float) -> None:
        for i, p in enumerate(self.params):
            if self.decayed[i]:
                gradient[i] = gradient[i].add(p, alpha=weight_decay)
                product[i] = product[i].add(self.moments["s"][i] + p, alpha=weight_decay)

    def _sgd(self, gradient: Tensors, product: Tensors) -> tuple[Tensors, Tensors]:
        """u = the momentum buffer, and u̇."""
        for kind, new in (("first", gradient), ("slope", product)):
            torch._foreach_mul_(self.moments[kind], self.momentum)
            torch._foreach_add_(self.moments[kind], new)
        return self.moments["first"], self.moments["slope"]

    def _adam(self, gradient: Tensors, product: Tensors) -> tuple[Tensors, Tensors]:
        """u = m̂/(√v̂ + ε), and u̇ = ṁ̂/(√v̂ + ε) − u v̂̇/(2√v̂ (√v̂ + ε))."""
        first, second = (1 - b**self.steps for b in _BETAS)
        m, v, dm, dv = (self.moments[k] for k in ("first", "second", "slope", "second slope"))
        torch._foreach_lerp_(m, gradient, 1 - _BETAS[0])
        torch._foreach_lerp_(v, [g * g for g in gradient], 1 - _BETAS[1])
        torch._foreach_lerp_(dm, product, 1 - _BETAS[0])
        torch._foreach_lerp_(dv, [2 * g * d for g, d in zip(gradient, product, strict=True)], 1 - _BETAS[1])
        roots = [(x / second).sqrt() for x in v]
        directions = [x / first / (r + _EPS) for x, r in zip(m, roots, strict=True)]
        slopes = [
            (x / first - u * y / second / (2 * r + _EPS)) / (r + _EPS)
            for x, y, u, r in zip(dm, dv, directions, roots, strict=True)
        ]
        return directions, slopes

    def slope_of(self, inputs: Any, target: Any) -> float:
        """d loss/d log λ = ⟨∇loss(w), s⟩ on one batch."""
        with torch.enable_grad():
            value = self.loss(self.model(inputs), target)
            gradient = torch.autograd.grad(value, self.params, allow_unused=True, materialize_grads=True)
        return sum(float((g * s).sum()) for g, s in zip(gradient, self.moments["s"], strict=True))

    def curvature_of(self, inputs: Any, target: Any) -> float:
        """sᵀ C s: the Gauss–Newton part of d² loss/d (log λ)² on one batch."""
        state = _random_state(self.params)
        with torch.no_grad():
            output = self.model(inputs)
        moved = self._moved_output(inputs, output, state)
        return 0.0 if moved is None else float((moved * self._curved(output, target, moved)).sum())

    def _curved(self, output: torch.Tensor, target: Any, moved: torch.Tensor) -> torch.Tensor:
        """The loss's second derivative in the output, times ``moved``."""
        with torch.enable_grad():
            at = output.detach().requires_grad_()
            (outer,) = torch.autograd.grad(self.loss(at, target), at, create_graph=True)
            (curved,) = torch.autograd.grad(outer, at, moved)
        return curved

    def _gradient_and_product(self, inputs: Any, target: Any) -> tuple[Tensors, Tensors]:
        state = _random_state(self.params)
        with torch.enable_grad():
            output = self.model(inputs)
            at = output.detach().requires_grad_()
            value = self.loss(at, target)
            if not torch.isfinite(value):
                raise InputError("the training loss is not finite: lower lr or start")
            (outer,) = torch.autograd.grad(value, at)
            gradient = self._pulled_back(output, outer, keep=True)
            moved = self._moved_output(inputs, output, state)
            if moved is None:
                return gradient, [torch.zeros_like(p) for p in self.params]
            return gradient, self._pulled_back(output, self._curved(output, target, moved), keep=False)

    def _pulled_back(self, output: torch.Tensor, outer: torch.Tensor, *, keep: bool) -> Tensors:
        pulled = torch.autograd.grad(
            output, self.params, outer, retain_graph=keep, allow_unused=True, materialize_grads=True
        )
        return list(pulled)

    @torch.no_grad()
    def _moved_output(self, inputs: Any, output: torch.Tensor, state: RandomState) -> torch.Tensor | None:
        """J s by a difference of outputs under the same random numbers; None while s is zero."""
        s = self.moments["s"]
        size = math.sqrt(sum(float(x.square().sum()) for x in s))
        if size == 0:
            return None
        norm = math.sqrt(sum(float(p.square().sum()) for p in self.params))
        h = 1e-3 * norm / size
        shifted = {n: p + h * x for n, p, x in zip(self.names, self.params, s, strict=True)}
        shifted |= {
            n: b.clone() for n, b in self.model.named_buffers()
        }  # running statistics move once per step
        with _drawing_from(state):
            return (torch.func.functional_call(self.model, shifted, (inputs,)) - output) / h


@dataclass(frozen=True)
class RandomState:
    """Where the generators stood: the CPU's, and those of the GPUs that hold the model."""

    host: torch.Tensor
    devices: dict[int, torch.Tensor]


def _random_state(params: Tensors) -> RandomState:
    devices = {p.device.index for p in params if p.is_cuda}
    return RandomState(torch.get_rng_state(), {d: torch.cuda.get_rng_state(d) for d in devices})


@contextmanager
def _drawing_from(state: RandomState) -> Iterator[None]:
    with torch.random.fork_rng(devices=list(state.devices)):
        torch.set_rng_state(state.host)
        for device, there in state.devices.items():
            torch.cuda.set_rng_state(there, device)
        yield
