"""λ per layer by the marginal likelihood: a Laplace approximation with Kronecker curvature, updated while training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from elltwo.decay.tuning.curvature import (
    Layer,
    LayerCurvature,
    effective_parameters,
    layer_curvatures,
    trained_layers,
)
from elltwo.decay.tuning.result import TunedDecay, positive
from elltwo.errors import InputError, UsageError
from elltwo.facts.decayplan import DecayPlan

__all__ = ["by_marginal"]

Batches = Callable[[], Iterable[tuple[Any, torch.Tensor]]]
Layers = dict[str, Layer]


def by_marginal(
    *,
    model: nn.Module,
    batches: Batches,
    samples: int,
    lr: float = 1e-3,
    epochs: int = 30,
    refresh: int = 3,
    start: float = 1.0,
    plan: DecayPlan | None = None,
) -> TunedDecay:
    """λ_l = δ_l/n of every linear and convolution layer at the maximum of the Laplace evidence, *coupled* L2.

    Objective: Σ_n cross-entropy + Σ_l (δ_l/2)‖W_l‖², n = ``samples``. A copy of the model is trained by Adam with
    gradient λ_l W_l of the mean loss added; every ``refresh`` epochs δ_l ← γ_l/‖W_l‖² (MacKay's fixed point of the
    evidence). Biases are free. With a ``plan``, layers that it does not decay or that are scale-invariant are
    left out: the evidence does not see the size of the latter. Source: Immer et al., arXiv:2104.04975.
    """
    for name, value in (("lr", lr), ("samples", samples), ("epochs", epochs), ("start", start)):
        positive(name, value)
    net = deepcopy(model).train()
    layers = _chosen(net, plan)
    precisions = dict.fromkeys(layers, start)
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=lr)
    factored = 0
    for epoch in range(epochs):
        for group in optimizer.param_groups:
            group["lr"] = lr * (1 - epoch / epochs)
        _epoch(net, layers, optimizer, batches(), precisions, samples)
        if epoch % refresh == refresh - 1:
            factored += 1
            curvatures = layer_curvatures(net, layers, batches())
            layers = {n: layers[n] for n in curvatures}
            precisions = {n: _fixed_point(layers[n], c, precisions[n]) for n, c in curvatures.items()}
    if not factored:
        raise InputError(f"{epochs} epochs are fewer than refresh={refresh}: the evidence was never taken")
    if not layers:
        raise UsageError(
            "no gradient reached a linear or convolution layer of this model by calls of the layer"
        )
    return _result(precisions, samples, epochs, factored, _left_out(net, layers))


def _chosen(net: nn.Module, plan: DecayPlan | None) -> Layers:
    layers = trained_layers(net)
    if not layers:
        raise UsageError(
            "method 'marginal' needs nn.Linear, nn.Conv1d or nn.Conv2d layers, and this model has none that is trained"
        )
    if plan is not None:
        rows = {name: row for row in plan.rows for name in (row.name, *row.aliases)}
        unseen = ("proven", "approximate")
        wanted = {n for n, row in rows.items() if row.strength > 0 and row.scale_invariant not in unseen}
        layers = {n: m for n, m in layers.items() if _weight(n) in wanted}
        if not layers:
            raise UsageError(
                "this plan decays no linear or convolution layer whose size the evidence sees: they are exempt or "
                "scale-invariant; use the pilot"
            )
    return layers


def _weight(layer: str) -> str:
    return f"{layer}.weight" if layer else "weight"


def _left_out(net: nn.Module, layers: Layers) -> list[str]:
    """Trained weights of two dimensions or more that got no λ."""
    covered = {id(m.weight) for m in layers.values()}
    return [n for n, p in net.named_parameters() if p.requires_grad and p.dim() > 1 and id(p) not in covered]


def _epoch(
    net: nn.Module,
    layers: Layers,
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


def _fixed_point(layer: Layer, curvature: LayerCurvature, old: float) -> float:
    squared = float(layer.weight.detach().double().square().sum())
    new = effective_parameters(curvature, old) / max(squared, 1e-12)
    # Half a step in log δ: the curvature is itself an estimate at a moving point.
    return min(max(math.sqrt(old * max(new, 1e-12)), 1e-6), 1e8)


def _result(
    precisions: dict[str, float], samples: int, epochs: int, factored: int, left_out: list[str]
) -> TunedDecay:
    strengths = {_weight(n): d / samples for n, d in precisions.items()}
    middle = math.exp(sum(map(math.log, strengths.values())) / len(strengths))
    said = [
        f"A copy was trained for {epochs} epochs; its layerwise evidence (Kronecker Gauss–Newton) was maximised "
        f"{factored} times.",
        "Coupled λ per layer, added to the gradient of the mean loss: "
        + ", ".join(f"{n} {v:.3g}" for n, v in strengths.items())
        + "; weight_decay is their geometric mean.",
    ]
    if left_out:
        more = f" and {len(left_out) - 4} more" if len(left_out) > 4 else ""
        said.append(f"Not covered, and left without decay: {', '.join(left_out[:4])}{more}.")
    said.append(
        "Beware: it needs no validation data and believes the likelihood; it is for coupled L2 (Adam, SGD), not AdamW."
    )
    return TunedDecay(middle, "marginal", (), 1.0 + factored / epochs, tuple(said), strengths)
