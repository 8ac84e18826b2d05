"""couple: strengths for a shared trunk and its heads that put the ratio of their norms where it is asked.

For f_t = v_t . phi(W_s x) with phi positively homogeneous, W_s -> c W_s, v_t -> v_t/c is a symmetry. Then, with
E over the stationary distribution and small steps:

    SGD + L2:  lambda_s ||W_s||^2 = lambda_t sum_t ||v_t||^2
    AdamW:     lambda_s <W_s, sqrt(v) W_s> = lambda_t sum_t <v_t, sqrt(v) v_t>   (v: second-moment estimate)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import torch
from torch.optim import Optimizer

from elltwo.errors import UsageError
from elltwo.facts.decayplan import DecayPlan, check_strength


@dataclass(frozen=True)
class Coupling:
    """Strengths for trunk and heads, the plan with them written in, and how they were found."""

    trunk_decay: float
    head_decay: float
    law: str
    sentence: str
    plan: DecayPlan


def couple(
    trunk: str | Sequence[str],
    heads: str | Sequence[str],
    *,
    plan: DecayPlan,
    ratio: float,
    weight_decay: float | None = None,
    optimizer: Optimizer | None = None,
) -> Coupling:
    """Solve for lambda_s, lambda_t so that ||W_s||^2 / sum_t ||v_t||^2 settles at ``ratio``.

    Their geometric mean is ``weight_decay``: since the balanced penalty is proportional to
    sqrt(lambda_s lambda_t), the overall pressure on the product W_s v_t stays what it was.

    Parameters
    ----------
    trunk, heads : globs on the plan's names.
    plan : from :func:`elltwo.decay_plan`; its weight_decay is the default mean strength.
    ratio : the wanted ||W_s||^2 / sum_t ||v_t||^2 (positive).
    optimizer : None for the law of SGD with coupled L2 (also Adam with coupled L2). An AdamW that has run a
        while for the preconditioned law; its second moments are carried to the wanted ratio along the symmetry
        (W_s by c, v_t by 1/c, c^4 = ratio/present ratio; gradients scale inversely), which gives
        lambda_t/lambda_s = sqrt(ratio * present) * q_s/q_t with q = <w, sqrt(v) w>/||w||^2.

    Raises
    ------
    UsageError
        If a pattern matches nothing, the ratio is not positive, or the optimizer has no second moments yet.
    """
    mean = check_strength(plan.weight_decay if weight_decay is None else weight_decay, "weight_decay")
    if check_strength(ratio, "ratio") == 0:
        raise UsageError(f"ratio must be positive, got {ratio!r}")
    inner, outer = _matching(plan, trunk, "trunk"), _matching(plan, heads, "heads")
    if optimizer is None:
        quotient, law = ratio, "SGD + L2"
        text = "lambda_s ||W_s||^2 = lambda_t sum ||v_t||^2 at a stationary point"
    else:
        quotient, law = _preconditioned(plan, inner, outer, ratio, optimizer), "AdamW"
        text = "lambda_s <W_s, sqrt(v) W_s> = lambda_t sum <v_t, sqrt(v) v_t> in equilibrium (run >> 1/(eta lambda))"
    low, high = mean / quotient**0.5, mean * quotient**0.5
    sentence = f"Trunk {low:.4g}, heads {high:.4g}: {text}, so the squared norms settle near {ratio:g} to 1."
    strengths = {**dict.fromkeys(inner, low), **dict.fromkeys(outer, high)}
    return Coupling(low, high, law, sentence, plan.override(strengths))


def _matching(plan: DecayPlan, patterns: str | Sequence[str], what: str) -> list[str]:
    wanted = [patterns] if isinstance(patterns, str) else list(patterns)
    found = []
    for pattern in wanted:
        hits = [r.name for r in plan if fnmatchcase(r.name, pattern)]
        if not hits:
            raise UsageError(f"{what} {pattern!r} matches no parameter of the plan")
        found += hits
    return found


def _preconditioned(
    plan: DecayPlan, inner: list[str], outer: list[str], ratio: float, optimizer: Optimizer
) -> float:
    if plan.parameters is None:
        raise UsageError("this plan was read from a file and holds no tensors: use plan.bind(model)")
    sides = [[plan.parameters[n] for n in group] for group in (inner, outer)]
    squares = [sum(float(p.detach().square().sum()) for p in side) for side in sides]
    if min(squares) == 0:
        raise UsageError("trunk or heads are exactly zero: the ratio of their norms has no meaning yet")
    stiff = [_stiffness(side, optimizer) / square for side, square in zip(sides, squares, strict=True)]
    return (ratio * squares[0] / squares[1]) ** 0.5 * stiff[0] / stiff[1]


def _stiffness(tensors: Iterable[torch.Tensor], optimizer: Optimizer) -> float:
    """sum <w, sqrt(v) w>, v bias-corrected."""
    betas = {id(p): g.get("betas", (0, 0.999))[1] for g in optimizer.param_groups for p in g["params"]}
    total = 0.0
    for p in tensors:
        state = optimizer.state.get(p, {})
        if "exp_avg_sq" not in state:
            raise UsageError(
                "the optimizer has no second moments for trunk or heads yet: train some steps first"
            )
        v = state["exp_avg_sq"] / (1 - betas[id(p)] ** float(state["step"]))
        total += float((p.detach().square() * v.sqrt()).sum())
    return total
