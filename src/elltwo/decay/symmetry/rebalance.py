"""Move a network to the smallest L2 norm that gives the same function, along its rescaling symmetries.

For one hidden unit with incoming weights u and outgoing v, (c u, v/c) is the same function for all c, and
min_c (c^2 |u|^2 + |v|^2/c^2) = 2 |u| |v|: at the minimum, (lambda/2) ||w||^2 has become lambda |v| |u|, a path
norm (Neyshabur et al. 2015, arXiv:1506.02617; equi-normalization, Stock et al. 2019, arXiv:1902.10416).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from elltwo.decay.proving.laboratory import Experiment, precise
from elltwo.decay.seeing.calling import Forward
from elltwo.decay.seeing.keeping import kept
from elltwo.decay.symmetry.find import ZERO, Lab, find, study
from elltwo.errors import InputError
from elltwo.facts.rebalanced import Move, Rebalanced
from elltwo.facts.symmetry import Symmetry

Weights = dict[str, torch.Tensor]
MOST_SWEEPS = 2000


@dataclass(frozen=True)
class Generator:
    """One symmetry as it is applied: (tensor, axis, exponent); axis None scales the whole tensor.

    With axes, ``units`` independent scales act on rows (axis 0) and columns (axis 1).
    """

    symmetry: Symmetry
    parts: tuple[tuple[str, int | None, int], ...]
    units: int


def rebalance(
    model: nn.Module,
    batch: Any = None,
    *,
    forward: Forward | None = None,
    units: bool = True,
    tolerance: float = 1e-12,
    seed: int = 0,
) -> Rebalanced:
    """Minimise sum_i ||w_i||^2 over the rescalings that leave the outputs unchanged, in place.

    Uses the symmetries that make some tensors larger and others smaller; along those that only shrink
    (scale invariance, a residual stream in front of a norm) the norm has no minimum, and nothing is moved.
    With ``units`` a symmetry that holds hidden unit by hidden unit is balanced unit by unit. Optimizer
    state is not transformed: rebalance before training, or build the optimizer anew.

    Weights are computed in float64 and stored in the model's own precision; what that rounding does to the outputs is
    in the answer too. A symmetry that would move the outputs (float64, eps as written, train and eval mode) by more
    than ``tolerance`` is left out, and named in the answer.

    Raises
    ------
    InputError
        If every symmetry found would; the model is then as before.
    """
    lab = study(model, batch, forward, None, seed, columns=True)
    found = [s for s in find(lab) if s.kind == "rescaling"]
    generators = [_generator(s, lab, units) for s in found]
    start = {n: t.detach().to(precise(t), copy=True) for n, t in lab.tensors.items()}
    used, weights, sweeps, change = generators, *_balanced(start, generators, lab)
    if not change <= tolerance:
        used = [g for g in generators if _holds(g, start, lab, tolerance)]
        weights, sweeps, change = _balanced(start, used, lab)
        if not (used and change <= tolerance):
            raise InputError(
                f"rebalancing would move the outputs by more than {tolerance:g}: the symmetries of this model "
                "hold only in train mode, up to an eps, or up to rounding (float32 casts inside: tolerance=1e-6); "
                "nothing changed"
            )
    stored = {n: weights[n].to(t.dtype).to(weights[n].dtype) for n, t in lab.tensors.items()}
    rounded = _moved_outputs(stored, lab)
    with torch.no_grad():
        for name, tensor in lab.tensors.items():
            tensor.copy_(weights[name])
    left_out = tuple(str(g.symmetry) for g in generators if g not in used)
    moves = tuple(_move(g, start, weights) for g in used)
    return Rebalanced(_square(start), _square(weights), change, moves, sweeps, left_out, rounded)


def _balanced(start: Weights, generators: list[Generator], lab: Lab) -> tuple[Weights, int, float]:
    """Weights at the minimum, sweeps taken, and how far the outputs move."""
    weights = {n: w.clone() for n, w in start.items()}
    sweeps = _balance(weights, generators)
    return weights, sweeps, _moved_outputs(weights, lab)


def _moved_outputs(weights: Weights, lab: Lab) -> float:
    return max(_change(lab.experiment, lab.tensors, weights, train) for train in (True, False))


def _holds(g: Generator, start: Weights, lab: Lab, tolerance: float) -> bool:
    """Does this symmetry alone, taken half a unit of log-scale, keep the outputs?"""
    weights = dict(start)
    step = torch.full((g.units,), 0.5, dtype=torch.float64)
    for name, axis, s in g.parts:
        scale = _along(s * (step if axis is not None else step[:1]), axis, start[name].dim()).exp()
        weights[name] = weights[name] * scale.to(start[name].device)
    return _moved_outputs(weights, lab) <= tolerance


def _generator(symmetry: Symmetry, lab: Lab, units: bool) -> Generator:
    whole = Generator(symmetry, tuple((n, None, s) for n, s in symmetry.exponents), 1)
    if not units:
        return whole
    for sign in (1, -1):  # which sign scales output units; the other scales what comes in
        parts = tuple((n, abs(lab.axes[n] - (s * sign < 0)), s) for n, s in symmetry.exponents)
        sides = {lab.tensors[n].shape[a] if lab.tensors[n].dim() > a else -1 for n, a, _ in parts}
        if len(sides) == 1 and -1 not in sides and _holds_by_unit(parts, lab):
            return Generator(symmetry, parts, sides.pop())
    return whole


def _holds_by_unit(parts: tuple[tuple[str, int | None, int], ...], lab: Lab) -> bool:
    """sum_i s_i <w_i, g_i> = 0 for each unit's own outgoing and incoming weights."""
    terms = []
    for name, axis, s in parts:
        seen = lab.sketches[name]
        part = seen.rows if axis == lab.axes[name] else seen.columns
        if part is None:
            return False
        terms.append(s * part)
    total, size = sum(terms), sum(t.abs() for t in terms)
    assert isinstance(total, torch.Tensor)
    assert isinstance(size, torch.Tensor)
    return bool((total.abs() <= ZERO * size + 1e-12 * size.max()).all())


def _balance(weights: Weights, generators: list[Generator]) -> int:
    """Cyclic exact minimisation over one generator at a time; the objective is convex in log-scales."""
    for sweep in range(1, MOST_SWEEPS + 1):
        largest = 0.0
        for g in generators:
            log_scale = _best_scale(g, weights)
            largest = max(largest, float(log_scale.abs().max()))
            for name, axis, s in g.parts:
                weights[name] *= _along(log_scale * s, axis, weights[name].dim()).exp()
        if largest < 1e-14:
            return sweep
    return MOST_SWEEPS


def _along(scale: torch.Tensor, axis: int | None, dim: int) -> torch.Tensor:
    if axis is None:
        return scale.reshape(())
    shape = [1] * dim
    shape[axis] = -1
    return scale.reshape(shape)


def _best_scale(g: Generator, weights: Weights) -> torch.Tensor:
    """argmin_t sum_i a_i exp(2 s_i t) per unit, by Newton's method (convex; 0 where a side is empty)."""
    squares = torch.stack([_unit_squares(weights[n], axis) for n, axis, _ in g.parts])
    s = torch.tensor([float(e) for _, _, e in g.parts], dtype=torch.float64, device=squares.device)[:, None]
    live = ((squares * (s > 0)).sum(0) > 0) & ((squares * (s < 0)).sum(0) > 0)
    t = torch.zeros(squares.shape[1], dtype=torch.float64, device=squares.device)
    for _ in range(100):
        terms = squares * (2 * s * t).exp()
        slope, bend = (2 * s * terms).sum(0), (4 * s * s * terms).sum(0)
        step = torch.where(live, -slope / bend.clamp_min(1e-300), 0.0).clamp(-1.0, 1.0)
        t = t + step
        if float(step.abs().max()) < 1e-16:
            break
    return t


def _unit_squares(w: torch.Tensor, axis: int | None) -> torch.Tensor:
    square = w.abs().square()
    if axis is None:
        return square.sum().reshape(1)
    return square.movedim(axis, 0).reshape(w.shape[axis], -1).sum(1)


def _change(
    experiment: Experiment, tensors: Mapping[str, torch.Tensor], weights: Weights, train: bool
) -> float:
    """Relative change of the outputs in float64, eps as written, given weights against the present ones."""
    exact = replace(experiment, roles={}, exact_eps=True)
    with kept(experiment.model, working_copy=False), exact.prepared() as lab:
        experiment.model.train(train)
        before = [o.detach() for o in lab.outputs()]
        for name, tensor in tensors.items():
            tensor.data = weights[name].to(tensor.dtype)
        after = [o.detach() for o in lab.outputs()]
    top = sum(float((a - b).abs().square().sum()) for a, b in zip(after, before, strict=True))
    return (top / max(sum(float(b.abs().square().sum()) for b in before), 1e-300)) ** 0.5


def _square(weights: Weights) -> float:
    return sum(float(w.abs().square().sum()) for w in weights.values())


def _move(g: Generator, start: Weights, weights: Weights) -> Move:
    held = [n for n, _, _ in g.parts]
    path = None
    if all(axis is not None for _, axis, _ in g.parts) and {abs(s) for _, _, s in g.parts} == {1}:
        sides = [sum(_unit_squares(start[n], a) for n, a, s in g.parts if s == sign) for sign in (1, -1)]
        path = float(2 * (sides[0].sqrt() * sides[1].sqrt()).sum())  # type: ignore[union-attr]  # sums of tensors
    return Move(
        str(g.symmetry),
        g.units,
        sum(float(start[n].abs().square().sum()) for n in held),
        sum(float(weights[n].abs().square().sum()) for n in held),
        path,
    )
