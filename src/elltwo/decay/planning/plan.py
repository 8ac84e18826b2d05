"""decay_plan: trace, probe, judge. The one function that turns a model into a DecayPlan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from elltwo.decay.planning.heuristics import RULES, Owned, owned
from elltwo.decay.planning.policies import Policy, width_multipliers
from elltwo.decay.proving.laboratory import Experiment
from elltwo.decay.proving.probe import Probe, Proof, prove
from elltwo.decay.seeing.calling import (
    Forward,
    aliases,
    batch_from_model,
    checked_call,
    copied,
    differentiable,
    named_tensors,
    tensors_in,
    unwrap,
)
from elltwo.decay.seeing.keeping import as_trained, kept
from elltwo.decay.seeing.roles import Role, role_by_type, settle
from elltwo.decay.seeing.trace import Tracer
from elltwo.errors import InputError, UsageError, unknown_option
from elltwo.facts.decayplan import ROLES, DecayPlan, PlanRow, check_strength, plain_name

PASSES = 3  # forward passes before a tensor is called unused
POLICIES = ("standard", "mup", *RULES)


@dataclass(frozen=True)
class Traced:
    """Roles by parameter id, and sentences about what was not seen."""

    roles: Mapping[int, Role]
    notes: tuple[str, ...] = ()


def decay_plan(
    model: nn.Module,
    batch: Any = None,
    *,
    forward: Forward | None = None,
    loss: Callable[[Any], Any] | None = None,
    policy: str = "standard",
    weight_decay: float = 0.1,
    invariant: str = "decay",
    strengths: Mapping[str, float] | None = None,
    overrides: Mapping[str, float] | None = None,
    base: nn.Module | None = None,
    probe: bool = True,
) -> DecayPlan:
    """Which tensors of ``model`` to decay, how strongly, and why, read off one forward pass.

    Roles come from the operation that consumes each parameter, scale invariance from Euler's identity
    <w, df/dw> = 0 measured in float64 with random output cotangents. The model, its buffers, grads, modes
    and the random state are left as they were, also after an exception.

    Parameters
    ----------
    model : any module, on any device including ``meta`` (then nothing is probed), before DDP or
        fully_shard; wrappers of DDP and torch.compile are looked through.
    batch : what one training step gives the model: a tensor, a tuple of positional or a dict of keyword
        arguments. Without it the model's own example is used; failing that, only module types speak.
    forward : ``forward(model, batch)`` in place of calling the model.
    loss : applied to the output; roles and invariance are those of its value.
    policy : "standard" (decay what multiplies its input), "mup" (standard with widths, needs ``base``) or a
        rule in use: "nanogpt", "timm", "hf", "bert", "mingpt", "torchvision", "pytorch_optimizer".
    weight_decay : strength of a decayed tensor, in the optimizer's own convention.
    invariant : "decay", "exempt" or "corrected": what to do with proven scale-invariant weights.
    strengths : ``{role: weight_decay}``, in place of the policy's choice.
    overrides : ``{glob: weight_decay}`` on names, applied last.
    base : the model at base width, for "mup".
    probe : False leaves invariance and deadness unknown and saves about four training steps.

    Raises
    ------
    InputError
        If the model has no usable parameters, the forward pass fails or gives NaN.
    UsageError
        If an option is unknown or a pattern matches nothing.
    """
    core = unwrap(model)
    weight_decay = check_strength(weight_decay, "weight_decay")
    tensors = named_tensors(core)
    chosen = _policy(policy, core, weight_decay, invariant, strengths, base)
    batch = batch if batch is not None else batch_from_model(core)
    traced = _trace(core, tensors, batch, forward, loss)
    probed = _probe(core, tensors, traced, batch, forward, loss, wanted=probe)
    names = aliases(core)
    rows = tuple(
        _row(n, o, names[id(o.tensor)], traced, probed, chosen) for n, o in _with_owners(core, tensors)
    )
    plan = DecayPlan(
        rows=rows,
        policy=policy,
        weight_decay=weight_decay,
        invariant=invariant,
        model=type(core).__name__,
        notes=(*traced.notes, *probed.notes),
        parameters=tensors,
    )
    return plan.override(overrides) if overrides else plan


def _policy(
    name: str, model: nn.Module, weight_decay: float, invariant: str, strengths: Any, base: nn.Module | None
) -> Policy:
    if name not in POLICIES:
        raise unknown_option("policy", name, POLICIES)
    if (name == "mup") != (base is not None):
        raise UsageError("policy 'mup' and base= go together: base is the same model at the width you tuned")
    for role in strengths or {}:
        if role not in ROLES:
            raise unknown_option("role in strengths", role, ROLES)
    widths = None
    if base is not None:
        mine, small = (
            {n: tuple(p.shape) for n, p in named_tensors(m).items()} for m in (model, unwrap(base))
        )
        widths = width_multipliers(mine, small)
    rule = RULES.get(name)
    decayed = frozenset(plain_name(n) for n in rule(model)) if rule else None
    checked = {r: check_strength(s, f"strengths[{r!r}]") for r, s in (strengths or {}).items()}
    return Policy(name, weight_decay, invariant, decayed, widths, checked)


def traced_roles(
    model: nn.Module, tensors: Mapping[str, torch.Tensor], batch: Any, forward: Any, loss: Any
) -> dict[int, Role]:
    """Role per parameter id, of the parameters that the batch touches.

    Raises
    ------
    InputError
        If there is no batch to trace, or the forward pass fails.
    """
    if batch is None and forward is None:
        raise InputError(
            "no batch was given and the model documents none: pass the batch of one training step"
        )
    roles = _trace(model, tensors, batch, forward, loss).roles
    return {i: r for i, r in roles.items() if r.role != "unused"}


def _trace(
    model: nn.Module, tensors: Mapping[str, torch.Tensor], batch: Any, forward: Any, loss: Any
) -> Traced:
    if batch is None and forward is None:
        note = "No batch was given: roles come from module types, and invariance is unknown. Pass batch=... to trace."
        return Traced({}, (note,))
    roles: dict[int, Role] = {}
    for seed in range(PASSES):  # more than one where layers are dropped at random, as in speech encoders
        for i, role in _traced_once(model, tensors, batch, forward, loss, seed).items():
            if i not in roles or roles[i].role == "unused":
                roles[i] = role
        if not any(r.role == "unused" for r in roles.values()):
            break
    if all(r.role == "unused" for r in roles.values()):
        raise InputError(
            f"the forward pass of {type(model).__name__} touched none of its parameters: check batch and forward"
        )
    return Traced(roles)


def _traced_once(
    model: nn.Module, tensors: Mapping[str, torch.Tensor], batch: Any, forward: Any, loss: Any, seed: int
) -> dict[int, Role]:
    with kept(model), as_trained(model), torch.enable_grad():
        torch.manual_seed(seed)
        batch = copied(batch)
        tracer = Tracer(tensors.values(), tensors_in(batch))
        with tracer:
            out = checked_call(model, batch, forward, loss)
        outputs = list(tensors_in(out))
        if any(t.requires_grad for t in tensors.values()):
            differentiable(out)
        _refuse_empty_or_nan(model, outputs)
        return settle(tracer, outputs)


def _refuse_empty_or_nan(model: nn.Module, outputs: list[torch.Tensor]) -> None:
    if outputs and not any(t.numel() for t in outputs):
        raise InputError(
            f"the output of {type(model).__name__} has no values on this batch: pass a batch with examples in it"
        )
    for t in outputs:
        if t.is_meta or not (t.is_floating_point() or t.is_complex()):
            continue
        bad = int((~torch.isfinite(t)).sum())
        if (bad and bad == t.numel()) or bool(torch.isnan(t).any()):
            raise InputError(
                f"the output of {type(model).__name__} has {bad} of {t.numel()} values NaN or infinite on this "
                "batch: plan at parameters and a batch for which the forward pass is finite"
            )


def _probe(
    model: nn.Module,
    tensors: Mapping[str, torch.Tensor],
    traced: Traced,
    batch: Any,
    forward: Any,
    loss: Any,
    wanted: bool,
) -> Probe:
    if not wanted or not traced.roles:
        return Probe({})
    if any(t.is_meta for t in [*tensors.values(), *model.buffers()]):
        return Probe({}, ("The model is on meta: roles are traced, scale invariance needs real values.",))
    live = {n: t for n, t in tensors.items() if t.requires_grad and traced.roles[id(t)].role != "unused"}
    if not live:
        return Probe({}, ("No parameter that the batch touches is trainable: nothing to probe.",))
    roles = {id(t): traced.roles[id(t)].role for t in tensors.values()}
    axes = {n: traced.roles[id(t)].out_axis for n, t in live.items()}
    return prove(Experiment(model, batch, forward, loss, roles), live, axes=axes)


def _with_owners(model: nn.Module, tensors: Mapping[str, torch.Tensor]) -> list[tuple[str, Owned]]:
    owners = {id(o.tensor): o for o in owned(model)}
    return [(n, owners[id(t)]) for n, t in tensors.items()]


def _row(
    name: str, o: Owned, names: tuple[str, ...], traced: Traced, probed: Probe, policy: Policy
) -> PlanRow:
    by_type = role_by_type(o.owners[-1], o.leaf, o.tensor)
    role = traced.roles.get(id(o.tensor), by_type)
    proof = probed.proofs.get(name, Proof("unknown"))
    shown = by_type if role.role == "unused" else role
    row = PlanRow(
        name=name,
        shape=tuple(o.tensor.shape),
        role=role.role,
        strength=0.0,
        reason="",
        aliases=tuple(n for n in names if n != name),
        dtype=str(o.tensor.dtype).removeprefix("torch."),
        trainable=o.tensor.requires_grad,
        op=shown.op,
        slot=shown.slot + (f", also {', '.join(role.also)}" if role.also else ""),
        evidence=shown.evidence,
        scale_invariant=proof.status,
        residual=proof.residual,
        invariant_rows=proof.invariant_rows,
        live_rows=proof.live_rows,
        dead=proof.dead,
    )
    return policy.judge(row, by_type.role)
