"""Sums around one optimizer step, taken on the device and left there until somebody reads them.

A copy of the weights is made only on sampled steps, into buffers that are kept. Many weights take turns: a sample
then copies one part of them, so that neither its time nor its memory is that of the whole model. On CPU each
tensor is finished while it lies in cache; elsewhere the ``_foreach`` kernels are launched once for all tensors.
Of sharded weights (FSDP2) each rank measures its own part, and the sums are added over the ranks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

__all__ = ["StepMeter", "local", "turns_for"]

_AT_ONCE = 4_000_000
_MOST_TURNS = 4
_DIRECT = (torch.float32, torch.float64)


def turns_for(tensors: Sequence[torch.Tensor]) -> int:
    """One turn for each four million entries, four at most."""
    return min(_MOST_TURNS, math.ceil(sum(t.numel() for t in tensors) / _AT_ONCE), len(tensors))


class StepMeter:
    """Measures ‖g‖², ‖Δ‖², ⟨w₁, Δ⟩, ‖w₁‖² of a fixed list of tensors around a step.

    Parameters
    ----------
    tensors : sequence of tensors
    turns : int
        Parts of about equal size; ‖Δ‖² and ⟨w₁, Δ⟩ are of one part per sample, nan for the others.
    """

    def __init__(self, tensors: Sequence[torch.Tensor], turns: int = 1) -> None:
        self._owners = list(tensors)
        self._parts = _equal_parts([t.numel() for t in tensors], turns)
        self._turn = 0
        self._weights: list[torch.Tensor] = []
        self._places: list[tuple[int, torch.device]] = []
        self._buffers: list[list[torch.Tensor]] = []
        self._gradients: torch.Tensor | None = None

    @torch.no_grad()
    def before(self, turn: int = 0) -> None:
        """Copy this turn's weights and take all gradients' norms; a tensor without gradient counts as zero."""
        self._refresh()
        self._turn = turn % len(self._parts)
        if not self._buffers:
            self._buffers = _shared_buffers([[self._weights[i] for i in part] for part in self._parts])
        weights = [self._weights[i] for i in self._parts[self._turn]]
        torch._foreach_copy_(self._buffers[self._turn], weights)
        at = [i for i, p in enumerate(self._owners) if p.grad is not None]
        gradients = [_plain(local(p.grad)) for p in self._owners if p.grad is not None]
        self._gradients = _placed(len(self._owners), 0.0, at, _squares(gradients, self._weights[0]))

    @torch.no_grad()
    def after(self) -> torch.Tensor | None:
        """The sums, shape (4, tensors), on the device.

        None if :meth:`before` was not called, or if the step itself moved or replaced the weights.
        """
        gradients, self._gradients = self._gradients, None
        self._refresh()
        if gradients is None or not self._buffers:
            return None
        count, part = len(self._owners), self._parts[self._turn]
        taken = set(part)
        others = [i for i in range(count) if i not in taken]
        step, along, weight = self._around(part).unbind(1)
        weights = _placed(count, math.nan, part, weight)
        if others:
            squares = _squares([self._weights[i] for i in others], weight)
            weights[torch.tensor(others, device=weight.device)] = squares
        moved = [_placed(count, math.nan, part, values) for values in (step, along)]
        return _over_ranks(torch.stack([gradients.to(weights), *moved, weights]), self._owners)

    def _around(self, part: list[int]) -> torch.Tensor:
        """‖Δ‖², ⟨w₁, Δ⟩, ‖w₁‖² of the copied tensors, shape (part, 3); the buffers are used up."""
        buffers, weights = self._buffers[self._turn], [self._weights[i] for i in part]
        in_cache = all(w.is_cpu for w in weights)
        if not in_cache:
            torch._foreach_sub_(buffers, weights)
        sums = []
        for b, w in zip(buffers, weights, strict=True):
            if in_cache:
                b.sub_(w)  # w₀ − w₁ = −Δ
            b, w = _accumulable(b), _accumulable(w)
            sums += [torch.dot(b, b), torch.dot(w, b), torch.dot(w, w)]
        out = _stack(sums).view(-1, 3)
        out[:, 1].neg_()
        return out

    def _refresh(self) -> None:
        # A parameter's storage may have been replaced (load_state_dict(assign=True), .to(device)).
        mine = [local(p) for p in self._owners]
        places = [(p.data_ptr(), p.device) for p in mine]
        moved = places != self._places
        if moved:
            self._places, self._buffers = places, []
        # A weight that has no flat view is a flat copy, which is of this moment only.
        if moved or any(w.data_ptr() != place[0] for w, place in zip(self._weights, places, strict=True)):
            self._weights = [_flat(p.detach()) for p in mine]


def local(t: torch.Tensor) -> torch.Tensor:
    """This rank's part of a sharded tensor; any other as it is."""
    part: torch.Tensor = t.to_local() if hasattr(t, "to_local") else t
    return part


def _over_ranks(sums: torch.Tensor, owners: list[torch.Tensor]) -> torch.Tensor:
    """Sums of sharded tensors, added over the ranks that hold a part: one collective per mesh and layout."""
    layouts: dict[Any, list[int]] = {}
    for i, p in enumerate(owners):
        sharded = tuple(q.is_shard() for q in getattr(p, "placements", ()))
        if sharded:
            layouts.setdefault((getattr(p, "device_mesh", None), sharded), []).append(i)
    if layouts:
        from torch.distributed.tensor import DTensor, Partial, Replicate

        for (mesh, sharded), at in layouts.items():
            placements = [Partial() if s else Replicate() for s in sharded]
            sums[:, at] = DTensor.from_local(sums[:, at].contiguous(), mesh, placements).full_tensor()
    return sums


def _equal_parts(sizes: list[int], count: int) -> list[list[int]]:
    """Indices in ``count`` parts of about equal total size: the largest first, each to the lightest part."""
    parts: list[list[int]] = [[] for _ in range(count)]
    loads = [0] * count
    for i in sorted(range(len(sizes)), key=lambda i: -sizes[i]):
        lightest = loads.index(min(loads))
        parts[lightest].append(i)
        loads[lightest] += sizes[i]
    return [sorted(part) for part in parts if part]


def _shared_buffers(parts: list[list[torch.Tensor]]) -> list[list[torch.Tensor]]:
    """Room for a copy of each part's tensors, all parts in the same memory: one block per device and dtype."""
    needed: dict[tuple[torch.device, torch.dtype], int] = {}
    for part in parts:
        sizes: dict[tuple[torch.device, torch.dtype], int] = {}
        for t in part:
            sizes[t.device, t.dtype] = sizes.get((t.device, t.dtype), 0) + t.numel()
        needed = {kind: max(needed.get(kind, 0), sizes.get(kind, 0)) for kind in needed | sizes}
    blocks = {kind: torch.empty(size, device=kind[0], dtype=kind[1]) for kind, size in needed.items()}
    return [_views(part, blocks) for part in parts]


def _views(
    part: list[torch.Tensor], blocks: dict[tuple[torch.device, torch.dtype], torch.Tensor]
) -> list[torch.Tensor]:
    used = dict.fromkeys(blocks, 0)
    out = []
    for t in part:
        kind = t.device, t.dtype
        out.append(blocks[kind][used[kind] : used[kind] + t.numel()])
        used[kind] += t.numel()
    return out


def _plain(t: torch.Tensor) -> torch.Tensor:
    t = t.coalesce().values() if t.is_sparse else t
    return torch.view_as_real(t) if t.is_complex() else t


def _flat(t: torch.Tensor) -> torch.Tensor:
    t = _plain(t)
    return t.view(-1) if t.is_contiguous() else t.reshape(-1) if t.dim() < 2 else _permuted(t)


def _permuted(t: torch.Tensor) -> torch.Tensor:
    """A flat view in memory order where there is one (channels_last), a flat copy else."""
    strides = t.stride()
    order = sorted(range(t.dim()), key=lambda d: -strides[d])
    return t.permute(order).reshape(-1)


def _accumulable(t: torch.Tensor) -> torch.Tensor:
    return t if t.dtype in _DIRECT else t.float()


def _squares(tensors: list[torch.Tensor], like: torch.Tensor) -> torch.Tensor:
    """Sums of squares, shape (tensors,); sums of half-precision entries are float32."""
    if not tensors:
        return _accumulable(like.new_zeros(0))
    kind = None if all(t.dtype in _DIRECT for t in tensors) else torch.float32
    return _stack(list(torch._foreach_norm(tensors, 2, kind))).square_()


def _placed(count: int, fill: float, at: list[int], values: torch.Tensor) -> torch.Tensor:
    if len(at) == count:
        return values
    out = torch.full((count,), fill, dtype=values.dtype, device=values.device)
    out[torch.tensor(at, device=values.device, dtype=torch.long)] = values
    return out


def _stack(values: list[torch.Tensor]) -> torch.Tensor:
    first = values[0]
    if any(v.dtype != first.dtype or v.device != first.device for v in values):
        kind = torch.float64 if any(v.dtype == torch.float64 for v in values) else torch.float32
        values = [v.to(device=first.device, dtype=kind) for v in values]
    return torch.stack(values)
