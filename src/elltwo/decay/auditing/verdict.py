"""audit: what an existing optimizer does to an existing model, as findings with an exit code."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from torch import nn
from torch.optim import Optimizer

from elltwo.decay.auditing.entries import Setup, setup_of
from elltwo.decay.auditing.groups import GROUP_CHECKS
from elltwo.decay.auditing.roles import ROLE_CHECKS
from elltwo.decay.auditing.strength import STRENGTH_CHECKS
from elltwo.decay.planning.plan import decay_plan
from elltwo.decay.seeing.calling import Forward, unwrap
from elltwo.errors import UsageError
from elltwo.facts.decayplan import DecayPlan
from elltwo.facts.finding import Finding

CHECKS: tuple[Callable[[Setup], Iterator[Finding]], ...] = (*GROUP_CHECKS, *ROLE_CHECKS, *STRENGTH_CHECKS)
_RANK = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True)
class Audit:
    """Findings, worst first, and the plan they were judged by. Iterates over its findings."""

    findings: tuple[Finding, ...]
    plan: DecayPlan

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    @property
    def exit_code(self) -> int:
        """0 when there is nothing above "info", else 1."""
        return int(any(f.severity != "info" for f in self.findings))

    def codes(self) -> tuple[str, ...]:
        """The findings' codes, in order."""
        return tuple(f.code for f in self.findings)

    def __str__(self) -> str:
        if not self.findings:
            return "No findings: every trainable tensor is in one group, decayed as its role asks."
        return "\n".join(
            f"{f.severity.upper():7} {f.code}: {f.sentence}\n        {f.remedy}" for f in self.findings
        )


def audit(
    optimizer: Optimizer | Sequence[Optimizer],
    model: nn.Module,
    batch: Any = None,
    *,
    forward: Forward | None = None,
    loss: Callable[[Any], Any] | None = None,
    plan: DecayPlan | None = None,
    steps: int | None = None,
    steps_per_epoch: int | None = None,
    compiled: bool | None = None,
) -> Audit:
    """Compare what each parameter gets from ``optimizer`` with what its role in ``model`` asks for.

    Parameters
    ----------
    optimizer : one torch optimizer, or several that share the model.
    model, batch, forward, loss : as in :func:`elltwo.decay_plan`; the model may be wrapped.
    plan : a plan made before wrapping; made here when None.
    steps, steps_per_epoch : length of the run and of an epoch; they decide whether the decay is inert
        (total shrink below 5 %) or forgets (time constant below one epoch).
    compiled : whether ``optimizer.step`` is compiled; detected when None.

    Raises
    ------
    UsageError
        If ``optimizer`` is no torch optimizer or a length is not positive.
    InputError
        If the model cannot be planned.
    """
    optimizers = [optimizer] if isinstance(optimizer, Optimizer) else optimizer
    if not isinstance(optimizers, (list, tuple)) or not all(isinstance(o, Optimizer) for o in optimizers):
        raise UsageError(
            f"optimizer must be a torch.optim.Optimizer or a list of them, got {type(optimizer).__name__}"
        )
    for what, length in (("steps", steps), ("steps_per_epoch", steps_per_epoch)):
        if length is not None and not (isinstance(length, Real) and 0 < length < math.inf):
            raise UsageError(f"{what} must be a positive number, got {length!r}")
    core = unwrap(model)
    plan = plan or decay_plan(core, batch, forward=forward, loss=loss)
    setup = setup_of(list(optimizers), model, core, plan, steps, steps_per_epoch, compiled)
    found = [f for check in CHECKS for f in check(setup)]
    return Audit(tuple(sorted(found, key=lambda f: _RANK[f.severity])), plan)


def assert_clean(
    optimizer: Optimizer | Sequence[Optimizer],
    model: nn.Module,
    batch: Any = None,
    *,
    allow: Collection[str] = (),
    **options: Any,
) -> Audit:
    """For a test: raise AssertionError listing every warning or error whose code is not in ``allow``."""
    result = audit(optimizer, model, batch, **options)
    bad = [f for f in result if f.severity != "info" and f.code not in allow]
    if bad:
        lines = "\n".join(f"  {f.code}: {f.sentence} {f.remedy}" for f in bad)
        raise AssertionError(f"the optimizer's weight decay does not fit the model:\n{lines}")
    return result
