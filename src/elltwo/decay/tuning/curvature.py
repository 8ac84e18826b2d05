"""Kronecker-factored curvature of linear and convolution layers, for the evidence of their weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from elltwo.errors import InputError

__all__ = ["Layer", "LayerCurvature", "effective_parameters", "layer_curvatures", "trained_layers"]

Layer = nn.Linear | nn.Conv1d | nn.Conv2d


@dataclass(frozen=True)
class LayerCurvature:
    """Eigenvalues of a layer's Kronecker-factored Gauss–Newton matrix A ⊗ G, summed over the samples.

    ``inputs`` (groups, fan_in) of A = Σ a aᵀ over samples and positions; ``outputs`` (groups, fan_out) of G, the mean
    of g gᵀ over them. Linear layers have one group.
    """

    inputs: torch.Tensor
    outputs: torch.Tensor


def trained_layers(model: nn.Module) -> dict[str, Layer]:
    """Linear and convolution layers (one and two dimensions, any groups) whose weight is a trained parameter."""
    found = ((n, m) for n, m in model.named_modules() if isinstance(m, (nn.Linear, nn.Conv1d, nn.Conv2d)))
    return {n: m for n, m in found if isinstance(m.weight, nn.Parameter) and m.weight.requires_grad}


def layer_curvatures(
    model: nn.Module, layers: dict[str, Layer], batches: Iterable[tuple[Any, torch.Tensor]]
) -> dict[str, LayerCurvature]:
    """Kronecker factors of the Gauss–Newton matrix of the summed cross-entropy, one backward pass per batch.

    Labels are drawn from softmax(outputs), so that E g gᵀ is the Fisher matrix, which is the Gauss–Newton
    matrix of a categorical likelihood. A weight that is used at many positions (of an image, of a sequence) counts
    them as independent: KFAC-expand. A layer with a trained bias is centred: the bias is free, and what it takes from
    the weight is the Schur complement A − n ā āᵀ. Layers that no gradient reached as calls of the module are absent.
    Sources: Martens & Grosse, arXiv:1503.05671; Grosse & Martens, arXiv:1602.01407; Eschenhagen et al.,
    arXiv:2311.00636.
    """
    watched = {n: _Factors(m) for n, m in layers.items()}
    weights = [m.weight for m in layers.values()]
    count = 0
    try:
        for inputs, _ in batches:
            with torch.enable_grad():
                logits = model(inputs).flatten(0, -2)
                drawn = torch.distributions.Categorical(logits=logits.detach()).sample()
                value = nn.functional.cross_entropy(logits, drawn, reduction="sum")
                # Parameter gradients are not wanted: only the hooks on the layers' outputs.
                torch.autograd.grad(value, weights, allow_unused=True)
            count += len(logits)
    finally:
        for factors in watched.values():
            factors.handle.remove()
    if count == 0:
        raise InputError("batches() gave no batch: it must return a fresh iterable of (inputs, labels)")
    return {n: factors.curvature() for n, factors in watched.items() if factors.rows}


def effective_parameters(curvature: LayerCurvature, precision: float) -> float:
    """γ = Σ_ij a_i g_j/(a_i g_j + δ): how many directions of the layer the data determine (MacKay 1992)."""
    products = torch.einsum("ka,kg->kag", curvature.inputs.double(), curvature.outputs.double())
    return float((products / (products + precision)).sum())


class _Factors:
    """Sums of a aᵀ, a and g gᵀ over the calls of one layer, taken by hooks."""

    def __init__(self, layer: Layer) -> None:
        self.layer, self.groups = layer, int(getattr(layer, "groups", 1))
        self.rows = 0
        self.inputs: Any = 0.0
        self.total: Any = 0.0
        self.outputs: Any = 0.0
        self.handle = layer.register_forward_hook(self._forward)

    def _forward(self, layer: Layer, given: tuple[Any, ...], output: torch.Tensor) -> None:
        if output.requires_grad:
            output.register_hook(self._both(given[0].detach()))

    def _both(self, given: torch.Tensor) -> Callable[[torch.Tensor], None]:
        def backward(gradient: torch.Tensor) -> None:
            a = _accumulable(_positions(self.layer, given))
            g = _accumulable(_outputs(self.layer, gradient.detach()))
            self.rows += a.shape[1]
            self.inputs = self.inputs + (a.mT @ a).double().cpu()
            self.total = self.total + a.sum(1).double().cpu()
            self.outputs = self.outputs + (g.mT @ g).double().cpu()

        return backward

    def curvature(self) -> LayerCurvature:
        bias = self.layer.bias
        inputs = self.inputs
        if bias is not None and bias.requires_grad:
            inputs = inputs - torch.einsum("ka,kb->kab", self.total, self.total) / self.rows
        spectra = (torch.linalg.eigvalsh(m).clamp_min(0) for m in (inputs, self.outputs / self.rows))
        return LayerCurvature(*spectra)


def _accumulable(t: torch.Tensor) -> torch.Tensor:
    return t if t.dtype in (torch.float32, torch.float64) else t.float()


def _positions(layer: Layer, given: torch.Tensor) -> torch.Tensor:
    """What the weight is multiplied with, shape (groups, samples × positions, fan_in of a group)."""
    if isinstance(layer, nn.Linear):
        return given.flatten(0, -2).unsqueeze(0)
    pair = [(1,) * (2 - len(v)) + tuple(v) for v in (layer.kernel_size, layer.dilation, layer.stride)]
    padded = nn.functional.pad(
        given, _padding(layer), "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    )
    image = padded.unsqueeze(-2) if len(layer.kernel_size) == 1 else padded
    columns = nn.functional.unfold(image, pair[0], dilation=pair[1], stride=pair[2])
    return columns.unflatten(1, (layer.groups, -1)).permute(1, 0, 3, 2).flatten(1, 2)


def _outputs(layer: Layer, gradient: torch.Tensor) -> torch.Tensor:
    """Gradients at the layer's output, shape (groups, samples × positions, fan_out of a group)."""
    if isinstance(layer, nn.Linear):
        return gradient.flatten(0, -2).unsqueeze(0)
    return gradient.flatten(2).unflatten(1, (layer.groups, -1)).permute(1, 0, 3, 2).flatten(1, 2)


def _padding(layer: nn.Conv1d | nn.Conv2d) -> list[int]:
    """Padding as ``torch.nn.functional.pad`` wants it: last dimension first, both sides of each."""
    sides: list[int] = []
    for at in reversed(range(len(layer.kernel_size))):
        if layer.padding == "same":
            total = layer.dilation[at] * (layer.kernel_size[at] - 1)
            sides += [total // 2, total - total // 2]
        elif layer.padding == "valid":
            sides += [0, 0]
        else:
            sides += [int(layer.padding[at])] * 2
    return sides
