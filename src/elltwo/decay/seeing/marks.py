"""What the tracer writes beside a tensor, and how two such marks combine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from elltwo.decay.seeing import ops

NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Use:
    """One consumption of a parameter; ``out_axis`` is its axis that counts output units."""

    role: str
    op: str
    slot: str
    out_axis: int = 0


@dataclass(frozen=True)
class Mark:
    """What the tracer knows of one tensor.

    ``leaves``: the parameters it is made of, each with flags of what happened on the way (empty once data
    from the batch is in it). ``maker``: the weight whose product this is, up to views, bias and scaling.
    ``path``/``root``: linear maps in a row and the activation they started from (for low-rank adapters).
    ``scaled``: parameters that data from the batch multiplied element by element.
    """

    leaves: Mapping[int, frozenset[str]] = field(default_factory=dict)
    tags: frozenset[str] = NONE
    source: int = 0
    maker: int | None = None
    path: tuple[int, ...] = ()
    root: int = 0
    scaled: frozenset[int] = frozenset()

    @property
    def pure(self) -> bool:
        """True when the tensor is made of parameters and constants alone."""
        return bool(self.leaves)


@dataclass(frozen=True)
class Operand:
    """A tensor argument, where it stood, and its mark (None for a constant)."""

    tensor: torch.Tensor
    place: int | str
    mark: Mark | None


def merged(one: frozenset[str], other: frozenset[str]) -> frozenset[str]:
    """A parameter that came twice: what is decisive stays, else the plainer way counts."""
    decisive = (one | other) & {"direction", "adapter"}
    return decisive or min(one, other, key=len)


def leaves_of(o: Operand) -> Mapping[int, frozenset[str]]:
    return o.mark.leaves if o.mark else {}


def all_pure(operands: list[Operand]) -> bool:
    return all(o.mark is None or o.mark.pure for o in operands)


def loose_slot(op: str, place: int | str = "") -> str:
    """The slot in an operation whose arguments play no fixed parts."""
    if op in ops.TWO_SIDED and place in (0, 1, "input", "other", "mat2"):
        return "left" if place in (0, "input") else "right"
    if op in ops.PRODUCTS:
        return "factor of a product"
    if op in ops.FACTORS:
        return "factor"
    if op in ops.SUMS:
        return "added"
    if op in ops.JOINS or op in ops.PLACES:
        return "table"
    return ""


def tensors_of(args: Any, kwargs: Mapping[str, Any]) -> Iterator[tuple[int | str, torch.Tensor]]:
    places: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
    for place, value in places:
        for tensor in flat(value):
            yield place, tensor


def flat(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from flat(item)


def summed_places(tensor: torch.Tensor, args: Any, kwargs: Mapping[str, Any]) -> tuple[int, ...]:
    """The axes, counted from the end, that a call of ``sum`` on ``tensor`` adds up; none when all are."""
    given = kwargs.get("dim", kwargs.get("axis", args[1] if len(args) > 1 else None))
    axes = (given,) if isinstance(given, int) else given
    if not isinstance(axes, (tuple, list)) or not all(isinstance(a, int) for a in axes):
        return ()
    return tuple(a if a < 0 else a - tensor.dim() for a in axes)


def is_vector(tensor: torch.Tensor) -> bool:
    """True when at most one side is longer than 1."""
    return sum(side > 1 for side in tensor.shape) <= 1


def out_axis(op: str, slot: str, used: torch.Tensor, leaf: torch.Tensor) -> int:
    """The axis of ``leaf`` that counts output units where ``used``, a view of it, fills ``slot`` of ``op``."""
    if op.startswith("conv_transpose") and slot == "weight":
        return 1
    if leaf.dim() != 2 or used.dim() < 2:
        return 0
    side = {"right": -1, "left": -2}.get(slot, 0)
    same = [a for a in (0, 1) if (leaf.stride(a), leaf.shape[a]) == (used.stride(side), used.shape[side])]
    return same[0] if same else 0
