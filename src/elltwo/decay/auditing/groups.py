"""Is every trainable tensor in exactly one group, once, and is it the model's own tensor?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import torch

from elltwo.decay.auditing.entries import Setup, count, names
from elltwo.facts.finding import Finding


def in_no_group(setup: Setup) -> Iterator[Finding]:
    """Trainable, but no optimizer moves it."""
    held = {id(e.tensor) for e in setup.entries}
    lost = [n for n, p in setup.tensors.items() if p.requires_grad and id(p) not in held]
    if lost:
        yield Finding(
            "in-no-group",
            "error",
            len(lost),
            0,
            f"No parameter group holds {count(lost, 'trainable tensor')}, which thus never move: {names(lost)}.",
            "Build the groups with plan.groups(lr=...), or set requires_grad_(False) where freezing is meant.",
        )


def in_two_groups(setup: Setup) -> Iterator[Finding]:
    """One tensor, stepped and decayed twice."""
    places = defaultdict(list)
    for e in setup.entries:
        places[id(e.tensor)].append(e)
    twice = [es for es in places.values() if len(es) > 1]
    if twice:
        shown = [es[0].name or "unnamed" for es in twice]
        where = ", ".join(dict.fromkeys(e.group for e in twice[0]))
        yield Finding(
            "in-two-groups",
            "error",
            len(twice),
            0,
            f"Listed more than once, hence stepped and decayed each time: {count(shown)}, {names(shown)} ({where}).",
            "List each tensor once; tied weights have several names but are one tensor.",
        )


def foreign(setup: Setup) -> Iterator[Finding]:
    """Tensors that the model does not have: an optimizer built before a copy, wrap or re-initialization."""
    odd = [e for e in setup.entries if e.name is None]
    if odd:
        yield Finding(
            "not-in-model",
            "error",
            len(odd),
            0,
            f"Not in the model, so that steps on them have no effect: {len(odd)} of the optimizer's tensors.",
            "Build the optimizer after the model is copied, moved, sharded or given new layers.",
        )


def tied_twice(setup: Setup) -> Iterator[Finding]:
    """Two Parameter objects over the same memory: a tie that is no tie."""
    by_place = defaultdict(list)
    for e in setup.entries:
        if (
            e.name is not None
            and not e.tensor.is_meta
            and e.tensor.numel()
            and not hasattr(e.tensor, "device_mesh")
        ):
            by_place[(e.tensor.data_ptr(), e.tensor.numel())].append(e)
    for group in by_place.values():
        distinct = list({id(e.tensor): e for e in group}.values())
        if len(distinct) > 1:
            rate = sum(e.weight_decay for e in distinct)
            yield Finding(
                "tied-twice",
                "error",
                rate,
                max(e.weight_decay for e in distinct),
                f"{names([e.name or '' for e in distinct])} are different parameters over the same memory: "
                f"one weight is decayed {len(distinct)} times a step (weight_decay {rate:g} in all).",
                "Assign the Parameter itself (head.weight = embedding.weight), not its data.",
            )


def frozen_in_group(setup: Setup) -> Iterator[Finding]:
    """requires_grad False, yet in a decaying group."""
    frozen = [e for e in setup.entries if e.name and not e.tensor.requires_grad and e.weight_decay > 0]
    if frozen:
        yield Finding(
            "frozen-in-group",
            "info",
            len(frozen),
            0,
            f"In decaying groups though frozen: {names([e.name or '' for e in frozen])}.",
            "torch's own optimizers skip tensors without a gradient; others may decay them: leave them out.",
        )


def zero_gradient(setup: Setup) -> Iterator[Finding]:
    """A gradient that is zero, not None: the tensor does not learn, and decay shrinks it to nothing."""
    dead = [e.name or "" for e, row in setup.known if e.weight_decay > 0 and row.dead]
    zeroed = [
        e.name or ""
        for e, row in setup.known
        if e.weight_decay > 0 and not row.dead and _all_zero(e.tensor.grad)
    ]
    if dead or zeroed:
        why = "the gradient is identically zero" if dead else "the present gradient is exactly zero"
        yield Finding(
            "frozen-by-zero-gradient",
            "warning",
            len(dead) + len(zeroed),
            0,
            f"Decay alone moves {count(dead + zeroed)}, because {why}: {names(dead + zeroed)}.",
            "Freeze with requires_grad_(False) and grad=None, or put them into a group with weight_decay=0.",
        )


def _all_zero(grad: torch.Tensor | None) -> bool:
    return grad is not None and not grad.is_meta and not bool(grad.any())


GROUP_CHECKS = (in_no_group, in_two_groups, foreign, tied_twice, frozen_in_group, zero_gradient)
