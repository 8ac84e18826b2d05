"""λ per layer by the marginal likelihood: a Laplace approximation with Kronecker curvature, updated while training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from elltwo.decay.tuning.result import TunedDecay, positive
from elltwo.errors import InputError, UsageError

__all__ = ["by_marginal", "effective_parameters", "layer_curvatures"]

Batches = Callable[[], Iterable[tuple[Any, torch.Tensor]]]


@dataclass(frozen=True)
class LayerCurvature:
    """Eigenvalues of a layer's Kronecker-factored Gauss–Newton matrix A ⊗ G, summed over the samples.

    ``inputs`` (fan_in,) of A = Σ_n a_n a_nᵀ; ``outputs`` (fan_out,) of G, the mean of g_n g_nᵀ.
    """

    inputs: torch.Tensor
    outputs: torch.Tensor


class _Factors:
    """Collects A and G of every linear layer during passes whose labels are drawn from the network itself."""

    def __init__(self, layers: dict[str, nn.Linear]) -> None:
        self.inputs = {n: torch.zeros(m.in_features, m.in_features) for n, m in layers.items()}
        self.outputs = {n: torch.zeros(m.out_features, m.out_features) for n, m in layers.items()}
        self.count = 0
        self.handles = [m.register_forward_hook(self._watch(n)) for n, m in layers.items()]

    def _watch(self, name: str) -> Callable[..., None]:
        def forward(module: nn.Module, given: tuple[Any, ...], output: torch.Tensor) -> None:
            a = given[0].detach().flatten(0, -2)
            self.inputs[name] += (a.T @ a).cpu()
            output.register_hook(backward)

        def backward(gradient: torch.Tensor) -> None:
            g = gradient.detach().flatten(0, -2)
            self.outputs[name] += (g.T @ g).cpu()

        return forward


def layer_curvatures(
    model: nn.Module, layers: dict[str, nn.Linear], batches: Iterable[tuple[Any, torch.Tensor]]
) -> dict[str, LayerCurvature]:
    """Kronecker factors of the Gauss–Newton matrix of the summed cross-entropy, one backward pass per batch.

    Labels are drawn from softmax(outputs), so that E g gᵀ is the Fisher matrix, which is the Gauss–Newton
    matrix of a categorical likelihood. Source: Martens & Grosse, arXiv:1503.05671.
    """
    factors = _Factors(layers)
    try:
        for inputs, _ in batches:
            with torch.enable_grad():
                logits = model(inputs).flatten(0, -2)
                drawn = torch.distributions.Categorical(logits=logits.detach()).sample()
                # Parameter gradients are not wanted: only the hooks on the layers' outputs.
                value = nn.functional.cross_entropy(logits, drawn, reduction="sum")
                torch.autograd.grad(value, [m.weight for m in layers.values()])
            factors.count += len(logits)
    finally:
        for handle in factors.handles:
            handle.remove()
    if factors.count == 0:
        raise InputError("batches() gave no batch: it must return a fresh iterable of (inputs, labels)")
    eigenvalues = torch.linalg.eigvalsh
    return {
        n: LayerCurvature(
            eigenvalues(factors.inputs[n]).clamp_min(0),
            eigenvalues(factors.outputs[n] / factors.count).clamp_min(0),
        )
        for n in layers
    }


def effective_parameters(curvature: LayerCurvature, precision: float) -> float:
    """γ = Σ_ij a_i g_j/(a_i g_j + δ): how many directions of the layer the data determine (MacKay 1992)."""
    products = torch.outer(curvature.inputs, curvature.outputs).double()
    return float((products / (products + precision)).sum())


def by_marginal(
    *,
    model: nn.Module,
    batches: Batches,
    samples: int,
    lr: float = 1e-3,
    epochs: int = 30,
    refresh: int = 3,
    start: float = 1.0,
) -> TunedDecay:
    """λ_l = δ_l/n of every linear layer at the maximum of the Laplace evidence, for *coupled* L2 on the mean loss.

    Objective: Σ_n cross-entropy + Σ_l (δ_l/2)‖W_l‖², n = ``samples``. A copy of the model is trained by Adam with
    gradient λ_l W_l added; every ``refresh`` epochs δ_l ← γ_l/‖W_l‖² (MacKay's fixed point of the evidence).
    Source: Immer et al., arXiv:2104.04975.
    """
    for name, value in (("lr", lr), ("samples", samples), ("epochs", epochs), ("start", start)):
        positive(name, value)
    net = deepcopy(model).train()
    layers = {n: m for n, m in net.named_modules() if isinstance(m, nn.Linear) and m.weight.requires_grad}
    if not layers:
        raise UsageError("method 'marginal' needs nn.Linear layers, and this model has none that is trained")
    precisions = dict.fromkeys(layers, start)
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    factored = 0
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = lr * (1 - epoch / epochs)
        _epoch(net, layers, optimizer, batches(), precisions, samples)
        if epoch % refresh == refresh - 1:
            factored += 1
            curvatures = layer_curvatures(net, layers, batches())
            precisions = {n: _fixed_point(layers[n], curvatures[n], precisions[n]) for n in layers}
    return _result(precisions, samples, epochs, factored)


def _epoch(
    net: nn.Module,
    layers: dict[str, nn.Linear],
    optimizer: torch.optim.Optimizer,
    batches: Iterable[tuple[Any, torch.Tensor]],
    precisions: dict[str, float],
    samples: int,
) -> None:
    for inputs, labels in batches:
        optimizer.zero_grad()
        value = nn.functional.cross_entropy(net(inputs).flatten(0, -2), labels.flatten())
        if not torch.isfinite(value):
            raise InputError("the training loss is not finite: lower lr, or start from a larger precision")
        value.backward()
        with torch.no_grad():
            for name, layer in layers.items():
                if layer.weight.grad is not None:
                    layer.weight.grad.add_(layer.weight, alpha=precisions[name] / samples)
        optimizer.step()


def _fixed_point(layer: nn.Linear, curvature: LayerCurvature, old: float) -> float:
    squared = float(layer.weight.detach().double().square().sum())
    new = effective_parameters(curvature, old) / max(squared, 1e-12)
    # Half a step in log δ: the curvature is itself an estimate at a moving point.
    return min(max(math.sqrt(old * max(new, 1e-12)), 1e-6), 1e8)


def _result(precisions: dict[str, float], samples: int, epochs: int, factored: int) -> TunedDecay:
    strengths = {f"{n}.weight" if n else "weight": d / samples for n, d in precisions.items()}
    middle = math.exp(sum(map(math.log, strengths.values())) / len(strengths))
    said = (
        f"A copy was trained for {epochs} epochs; its layerwise evidence (Kronecker Gauss–Newton) was maximised "
        f"{factored} times.",
        "Coupled λ per layer, added to the gradient of the mean loss: "
        + ", ".join(f"{n} {v:.3g}" for n, v in strengths.items())
        + "; weight_decay is their geometric mean.",
        "Beware: it needs no validation data and believes the likelihood; it is for coupled L2 (Adam, SGD), not AdamW.",
    )
    cost = 1.0 + factored / epochs
    return TunedDecay(middle, "marginal", (), cost, said, strengths)
