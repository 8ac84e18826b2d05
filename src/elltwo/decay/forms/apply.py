"""One call for every form of decay: ``apply_decay(optimizer, "cautious")``."""

from __future__ import annotations

from typing import Any

from torch.optim import Optimizer

from elltwo.decay.forms.cautious import Cautious
from elltwo.decay.forms.constraints import Bounded, Sphere
from elltwo.decay.forms.coupling import Coupled, Decoupled, Independent, Toward
from elltwo.decay.forms.scheduled import Corrected, Scheduled, Stable
from elltwo.errors import UsageError, unknown_option

__all__ = ["LAWS", "apply_decay"]

LAWS: dict[str, Any] = {
    "coupled": Coupled,
    "decoupled": Decoupled,
    "independent": Independent,
    "corrected": Corrected,
    "cautious": Cautious,
    "scheduled": Scheduled,
    "toward": Toward,
    "stable": Stable,
    "sphere": Sphere,
    "bounded": Bounded,
}


def apply_decay(optimizer: Optimizer, law: str, *args: Any, **options: Any) -> Any:
    """Attach a form of weight decay to a stock optimizer; its own fused step is left alone.

    Each group keeps its ``weight_decay`` as the base strength λ; what is done with it:

    ============== =======================================================================
    ``coupled``     λw added to the gradient
    ``decoupled``   w ← (1 − η_t λ) w before the step
    ``independent`` w ← (1 − λ η_t/η_peak) w
    ``corrected``   λ_t = λ η_t/η_peak on proven scale-invariant tensors (needs ``plan``)
    ``cautious``    only where the update shrinks the entry anyway
    ``scheduled``   λ_t = λ · schedule(t) (needs ``schedule``)
    ``toward``      toward the initial point
    ``stable``      λ_t = λ/√v̄_t
    ``sphere``      norm held, on proven tensors (needs ``plan``)
    ``bounded``     norm bounded, on proven tensors (needs ``plan``)
    ============== =======================================================================

    Returns
    -------
    DecayLaw
        With ``remove()``. Everything it must remember is saved by ``optimizer.state_dict()``.

    Raises
    ------
    UsageError
        For an unknown law or option, or where the law does not apply; the message says why.
    """
    if law not in LAWS:
        raise unknown_option("decay law", law, LAWS)
    try:
        return LAWS[law](optimizer, *args, **options)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise UsageError(f"{law} decay: {str(error).split('__init__() ')[-1]}") from error
