"""Sums around one optimizer step, taken on the device and left there until somebody reads them.

A copy of the weights is made only on sampled steps, into buffers that are kept. On CPU each tensor is
finished while it lies in cache (one pass over memory for three sums); elsewhere the ``_foreach`` kernels are
launched once for all tensors.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

__all__ = ["StepMeter"]


class StepMeter:
    """Measures ‖g‖², ‖Δ‖², ⟨w₁, Δ⟩, ‖w₁‖² of a fixed list of tensors around a step."""

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        self.tensors = [_flat(t.detach()) for t in tensors]
        self._owners = list(tensors)
        self._buffers: list[torch.Tensor] = []
        self._gradients: torch.Tensor | None = None

    @torch.no_grad()
    def before(self) -> None:
        """Copy the weights and take the gradients' norms; a tensor without gradient counts as zero."""
        self._refresh()
        if not self._buffers:
            self._buffers = [torch.empty_like(t) for t in self.tensors]
        grads = [_flat(p.grad) if p.grad is not None else None for p in self._owners]
        sums = []
        if self._on_cpu():
            for buffer, t, g in zip(self._buffers, self.tensors, grads, strict=True):
                buffer.copy_(t)
                sums.append(_dot(g, g) if g is not None else torch.zeros((), device=t.device))
        else:
            torch._foreach_copy_(self._buffers, self.tensors)
            present = [g for g in grads if g is not None]
            squares = iter([n.float() ** 2 for n in torch._foreach_norm(present)] if present else [])
            sums = [next(squares) if g is not None else torch.zeros((), device=t.device)
                    for g, t in zip(grads, self.tensors, strict=True)]  # fmt: skip
        self._gradients = _stack(sums)

    @torch.no_grad()
    def after(self) -> torch.Tensor | None:
        """The sums, shape (4, tensors), on the device; None if :meth:`before` was not called."""
        if self._gradients is None:
            return None
        self.tensors = [_flat(p.detach()) for p in self._owners]
        if not self._on_cpu():
            torch._foreach_sub_(self._buffers, self.tensors)
        step, along, weight = [], [], []
        for buffer, t in zip(self._buffers, self.tensors, strict=True):
            if t.device.type == "cpu":
                buffer.sub_(t)  # w₀ − w₁ = −Δ
            step.append(_dot(buffer, buffer))
            along.append(_dot(t, buffer).neg_())
            weight.append(_dot(t, t))
        gradients, self._gradients = self._gradients, None
        return torch.stack([gradients, _stack(step), _stack(along), _stack(weight)])

    def _on_cpu(self) -> bool:
        return all(t.device.type == "cpu" for t in self.tensors)

    def _refresh(self) -> None:
        # A parameter's storage may have been replaced (load_state_dict(assign=True), .to(device)).
        fresh = [_flat(p.detach()) for p in self._owners]
        if any(a.data_ptr() != b.data_ptr() for a, b in zip(fresh, self.tensors, strict=True)):
            self._buffers = []
        self.tensors = fresh


def _flat(t: torch.Tensor) -> torch.Tensor:
    if t.is_sparse:
        t = t.coalesce().values()
    if t.is_complex():
        t = torch.view_as_real(t)
    return t.view(-1) if t.is_contiguous() else t.reshape(-1) if t.dim() < 2 else _permuted(t)


def _permuted(t: torch.Tensor) -> torch.Tensor:
    """A flat view in memory order where there is one (channels_last), a flat copy else."""
    strides = t.stride()
    order = sorted(range(t.dim()), key=lambda d: -strides[d])
    return t.permute(order).reshape(-1)


def _dot(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    if a.dtype in (torch.float32, torch.float64):
        return torch.dot(a, b)
    return torch.dot(a.float(), b.float())


def _stack(values: list[torch.Tensor]) -> torch.Tensor:
    kind = torch.float64 if any(v.dtype == torch.float64 for v in values) else torch.float32
    device = values[0].device
    return torch.stack([v.to(device=device, dtype=kind) for v in values])
