"""Random backward passes, reduced at once to inner products <w, g> per tensor, row and column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from elltwo.errors import InputError


@dataclass(frozen=True)
class Sketch:
    """One tensor under K random output cotangents y_k, with g_k = d<y_k, f>/dw.

    whole (K,): <w, g_k>.  rows (K, r): its parts per output unit.  columns (K, c) or None: per
    input.  spread (K,), row_spread (K, r): sum_j (w_j g_kj)^2.  size: largest root mean square of g_k.
    """

    whole: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor | None
    spread: torch.Tensor
    row_spread: torch.Tensor
    size: float

    @property
    def residual(self) -> float:
        """rho = sqrt(sum_k <w,g_k>^2 / sum_k sum_j (w_j g_kj)^2): order one by chance, 0 under invariance."""
        bottom = float(self.spread.sum())
        return float("nan") if bottom == 0 else float((self.whole.square().sum() / bottom).sqrt())

    @property
    def row_residuals(self) -> torch.Tensor:
        """rho of each output unit that has any signal."""
        bottom = self.row_spread.sum(0)
        live = bottom > 1e-24 * bottom.max()
        return (self.rows.square().sum(0)[live] / bottom[live]).sqrt()


def sketch(
    outputs: list[torch.Tensor],
    tensors: Mapping[str, torch.Tensor],
    *,
    count: int,
    seed: int,
    columns: bool = False,
    axes: Mapping[str, int] | None = None,
) -> dict[str, Sketch]:
    """``count`` backward passes through one graph; tensors that no gradient reaches are left out.

    ``axes`` names the axis along which each tensor counts output units, 0 where it says nothing.
    """
    generator = torch.Generator(device=outputs[0].device).manual_seed(seed)
    found: dict[str, list[Sketch]] = {n: [] for n in tensors}
    for k in range(count):
        cotangents = [_cotangent(o, generator) for o in outputs]
        grads = _gradients(outputs, tensors, cotangents, keep=k + 1 < count)
        for (name, w), g in zip(tensors.items(), grads, strict=True):
            if g is not None:
                found[name].append(_reduce(w.detach(), g.detach(), columns, (axes or {}).get(name, 0)))
    return {n: _stacked(parts) for n, parts in found.items() if parts}


def _gradients(
    outputs: list[torch.Tensor],
    tensors: Mapping[str, torch.Tensor],
    cotangents: list[torch.Tensor],
    *,
    keep: bool,
) -> tuple[torch.Tensor | None, ...]:
    try:
        return torch.autograd.grad(
            outputs, list(tensors.values()), cotangents, retain_graph=keep, allow_unused=True
        )
    except Exception as error:  # whatever the user's gradient hooks and backward functions raise
        text = str(error).strip().split("\n")[0][:200]
        raise InputError(
            f"the backward pass failed: {type(error).__name__}: {text}. Look at the hooks on its tensors"
        ) from error


def _cotangent(output: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    noise = torch.randn(output.shape, generator=generator, dtype=output.dtype, device=output.device)
    return noise / max(output.numel(), 1) ** 0.5


def _reduce(w: torch.Tensor, g: torch.Tensor, columns: bool, axis: int) -> Sketch:
    g = g.to_dense() if g.is_sparse else g
    product = (w.conj() * g).real if w.is_complex() else w * g
    rows = product.movedim(axis, 0).flatten(1) if product.dim() > 1 else product.reshape(-1, 1)
    column = product.movedim(1 - axis, 0).flatten(1).sum(1) if columns and w.dim() > 1 else None
    size = float(g.abs().square().mean().sqrt()) if g.numel() else 0.0
    return Sketch(product.sum(), rows.sum(1), column, rows.square().sum(), rows.square().sum(1), size)


def _stacked(parts: list[Sketch]) -> Sketch:
    columns = [p.columns for p in parts if p.columns is not None]
    return Sketch(
        whole=torch.stack([p.whole for p in parts]),
        rows=torch.stack([p.rows for p in parts]),
        columns=torch.stack(columns) if columns else None,
        spread=torch.stack([p.spread for p in parts]),
        row_spread=torch.stack([p.row_spread for p in parts]),
        size=max(p.size for p in parts),
    )


def joined(parts: list[dict[str, Sketch]]) -> dict[str, Sketch]:
    """Sketches at several points as one with all their cotangents; tensors without a gradient anywhere left out."""
    held: dict[str, list[Sketch]] = {}
    for part in parts:
        for name, seen in part.items():
            held.setdefault(name, []).append(seen)
    return {n: _concatenated(seen) for n, seen in held.items() if len(seen) == len(parts)}


def _concatenated(parts: list[Sketch]) -> Sketch:
    columns = [p.columns for p in parts if p.columns is not None]
    return Sketch(
        whole=torch.cat([p.whole for p in parts]),
        rows=torch.cat([p.rows for p in parts]),
        columns=torch.cat(columns) if columns else None,
        spread=torch.cat([p.spread for p in parts]),
        row_spread=torch.cat([p.row_spread for p in parts]),
        size=max(p.size for p in parts),
    )
