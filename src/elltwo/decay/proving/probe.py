"""Euler's test: is the network's function unchanged when a tensor is rescaled?

f(c w) = f(w) for all c > 0 implies <w, df/dw> = 0 (Euler, degree zero; van Laarhoven 2017,
arXiv:1706.05350, eq. 3). Measured in float64 at a generic point with random output cotangents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from elltwo.decay.proving.laboratory import Experiment
from elltwo.decay.proving.sketch import Sketch, sketch
from elltwo.errors import InputError

TOLERANCE = 1e-6  # models that cast to float32 inside their norm leave 2e-7; all others score above 2e-3
SINGLE_TOLERANCE = 1e-4  # when the model runs in float32 only; then never called "proven"
CANDIDATE = 5e-2  # below this it may be invariance up to a literal eps: scale it up and look again
ENLARGED = 100.0
MORE_LOOKS = 3


@dataclass(frozen=True)
class Proof:
    """What was measured of one tensor; ``status`` is "proven", "approximate", "no" or "unknown"."""

    status: str
    residual: float | None = None
    invariant_rows: int | None = None
    live_rows: int | None = None
    dead: bool | None = None


@dataclass(frozen=True)
class Probe:
    """Proofs by name, and sentences about what could not be measured."""

    proofs: Mapping[str, Proof]
    notes: tuple[str, ...] = ()


def prove(
    experiment: Experiment,
    tensors: Mapping[str, torch.Tensor],
    cotangents: int = 4,
    axes: Mapping[str, int] | None = None,
) -> Probe:
    """Invariance and deadness of each tensor; the model is left as it was.

    ``tensors``: the trainable tensors that the forward pass touches; ``axes``: which axis of each counts
    output units (0 where it is not said). Costs about ``cotangents`` backward
    passes, two forward passes and one float64 copy of the model. A model whose kernels refuse float64 is
    measured in float32, and then nothing is called "proven".
    """
    notes: list[str] = []
    attempt: Experiment | None = experiment
    while attempt is not None:
        try:
            first = _prove_at(attempt, tensors, cotangents, axes or {})
            proofs = _looked_again(first.proofs, attempt, tensors, cotangents, axes or {})
            return Probe(proofs, tuple(notes))
        except _NotFinite:
            notes.append(f"The outputs are not finite in {_kind(attempt)} at the probed point.")
            attempt = replace(attempt, roles={}) if attempt.roles else None
        except (InputError, RuntimeError) as error:  # e.g. kernels that refuse float64
            text = str(error.__cause__ or error).strip().split("\n")[0][:120]
            notes.append(f"The probe in {_kind(attempt)} failed ({text}).")
            attempt = replace(attempt, dtype=torch.float32) if attempt.dtype == torch.float64 else None
    notes.append("Scale invariance is unknown for this model; roles stand.")
    return Probe({n: Proof("unknown") for n in tensors}, tuple(notes))


def _looked_again(
    proofs: Mapping[str, Proof],
    experiment: Experiment,
    tensors: Mapping[str, torch.Tensor],
    cotangents: int,
    axes: Mapping[str, int],
) -> dict[str, Proof]:
    """Dead weights are probed at other generic points: a small layer of ReLUs may be off at one by chance.

    The given point decides much of what is off, so that the first and third look turn the signs of weights.

    Where only vectors are dead (a bias in front of a norm), no layer is off, and one look is enough.
    """
    out = dict(proofs)
    for look in range(1, MORE_LOOKS + 1):
        dead = [n for n, p in out.items() if p.dead]
        if not experiment.roles or not any(tensors[n].dim() > 1 for n in dead):
            break
        elsewhere = replace(experiment, seed=experiment.seed + 1000 * look, mirrored=look % 2 == 1)
        try:
            found = _prove_at(elsewhere, tensors, cotangents, axes).proofs
        except _NotFinite:
            continue
        out |= {n: found[n] for n in dead if not found[n].dead}
    return out


class _NotFinite(ArithmeticError):
    pass


def _kind(attempt: Experiment) -> str:
    return str(attempt.dtype).removeprefix("torch.") + ("" if attempt.roles else " at the given parameters")


def _prove_at(
    experiment: Experiment, tensors: Mapping[str, torch.Tensor], cotangents: int, axes: Mapping[str, int]
) -> Probe:
    with experiment.prepared() as lab:
        outputs = lab.outputs()
        if not all(bool(torch.isfinite(o).all()) for o in outputs):
            raise _NotFinite
        seen = sketch(outputs, tensors, count=cotangents, seed=lab.seed + 2, axes=axes)
        base = [o.detach() for o in outputs]
        del outputs
        proofs = {n: _judge(seen.get(n), lab.dtype) for n in tensors}
        silent = _silent(tensors, seen)
        for name in without_effect(lab, {n: tensors[n] for n in silent}, base):
            proofs[name] = Proof("unknown", dead=True)
        doubtful = [n for n, p in proofs.items() if p.status == "no" and (p.residual or 1) < CANDIDATE]
        for name, after in _enlarged(lab, tensors, doubtful).items():
            before = proofs[name].residual or 0.0
            if after <= before / (0.1 * ENLARGED**2):
                proofs[name] = replace(proofs[name], status="approximate")
    return Probe(proofs)


def _judge(seen: Sketch | None, dtype: torch.dtype) -> Proof:
    if seen is None or seen.residual != seen.residual:
        return Proof("unknown", dead=None if seen is None else True)
    tolerance = TOLERANCE if dtype == torch.float64 else SINGLE_TOLERANCE
    invariant = "proven" if dtype == torch.float64 else "approximate"
    rows = seen.row_residuals
    return Proof(
        status=invariant if seen.residual < tolerance else "no",
        residual=seen.residual,
        invariant_rows=int((rows < tolerance).sum()),
        live_rows=int(rows.numel()),
        dead=False,
    )


def _silent(tensors: Mapping[str, torch.Tensor], seen: Mapping[str, Sketch]) -> list[str]:
    """Tensors whose gradient is missing, zero or rounding error."""
    sizes = sorted(s.size for s in seen.values())
    typical = sizes[len(sizes) // 2] if sizes else 0.0
    return [n for n in tensors if n not in seen or seen[n].size <= 1e-6 * typical]


def without_effect(
    lab: Experiment, tensors: Mapping[str, torch.Tensor], base: Sequence[torch.Tensor]
) -> list[str]:
    """Those of ``tensors`` that do not move the outputs when shifted by a random amount of order one.

    All are shifted together; if that changes the outputs, each half is looked at (few extra passes).
    """
    if not tensors:
        return []
    before = {n: t.data for n, t in tensors.items()}
    torch.manual_seed(lab.seed + 3)
    for tensor in tensors.values():
        tensor.data = tensor.data + torch.randn_like(tensor.data)
    try:
        with torch.no_grad():
            change = _relative_change(_outputs_without_grad(lab), base)
    finally:
        for name, data in before.items():
            tensors[name].data = data
    if change < (1e-5 if lab.dtype == torch.float64 else 1e-3):
        return list(tensors)
    if len(tensors) == 1:
        return []
    names = list(tensors)
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    return [n for half in halves for n in without_effect(lab, {k: tensors[k] for k in half}, base)]


def _outputs_without_grad(lab: Experiment) -> list[torch.Tensor]:
    with torch.enable_grad():
        return [o.detach() for o in lab.outputs()]


def _relative_change(now: Sequence[torch.Tensor], base: Sequence[torch.Tensor]) -> float:
    top = sum(float((a - b).abs().square().sum()) for a, b in zip(now, base, strict=True))
    return (top / max(sum(float(b.abs().square().sum()) for b in base), 1e-300)) ** 0.5


def _enlarged(lab: Experiment, tensors: Mapping[str, torch.Tensor], names: list[str]) -> dict[str, float]:
    """Residuals with the doubtful tensors 100 times larger.

    A norm with a literal eps leaves rho ~ eps/var, which falls 10^4-fold; anything else does not.
    """
    if not names:
        return {}
    for name in names:
        tensors[name].data = tensors[name].data * ENLARGED
    some = {n: tensors[n] for n in names}
    return {n: s.residual for n, s in sketch(lab.outputs(), some, count=2, seed=lab.seed + 4).items()}
