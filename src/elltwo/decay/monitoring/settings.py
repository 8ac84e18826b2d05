"""What decay each tensor was under at a step: read from the optimizer's groups and from an attached law."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.optim import Optimizer

from elltwo.decay.forms.law import is_decoupled
from elltwo.laws.decay_catalogue import CATALOGUE

__all__ = ["StepSettings", "describe", "settings_of"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class StepSettings:
    """Per tensor, shape (tensors,): learning rate, strength, share of the weight removed, momentum, group.

    ``family`` is "sgd" or "adamw" where an equilibrium is established for that tensor, else "".
    """

    lr: Array
    weight_decay: Array
    rate: Array
    momentum: Array
    group: NDArray[np.int64]
    family: tuple[str, ...]


@dataclass(frozen=True)
class _GroupSetting:
    lr: float
    weight_decay: float
    rate: float
    momentum: float
    family: str


def settings_of(optimizer: Optimizer, where: list[int]) -> StepSettings:
    """Settings in force for the step just taken; ``where`` holds each tensor's group index."""
    groups = [_read(optimizer, g) for g in optimizer.param_groups]
    chosen = [groups[i] for i in where]
    columns = {
        k: np.array([getattr(c, k) for c in chosen]) for k in ("lr", "weight_decay", "rate", "momentum")
    }
    return StepSettings(**columns, group=np.array(where), family=tuple(c.family for c in chosen))


def describe(optimizer: Optimizer) -> dict[str, Any]:
    """The optimizer's class and how its decay enters, for a log's header."""
    laws = sorted({str(g["elltwo_law"]) for g in optimizer.param_groups if "elltwo_law" in g})
    decoupled = [is_decoupled(optimizer, g) for g in optimizer.param_groups]
    return {"class": type(optimizer).__name__, "decoupled": all(decoupled), "laws": laws}


def _read(optimizer: Optimizer, group: dict[str, Any]) -> _GroupSetting:
    lr = float(group["lr"])
    momentum = float(group["betas"][0]) if "betas" in group else float(group.get("momentum", 0.0))
    law = group.get("elltwo_law", "")
    taken = law in ("decoupled", "coupled")
    decay = float(group["elltwo_decay"] if taken else group.get("weight_decay", 0.0))
    decoupled = law == "decoupled" or (law != "coupled" and is_decoupled(optimizer, group))
    family = _family(type(optimizer).__name__, decoupled, momentum)
    if law in (
        "cautious",
        "toward",
    ):  # neither has an established equilibrium, nor one shrink for all entries
        return _GroupSetting(lr, float(group["elltwo_decay"]), 0.0, momentum, "")
    known = decoupled or family == "sgd"
    return _GroupSetting(lr, decay, lr * decay if known else 0.0, momentum, family)


def _family(name: str, decoupled: bool, momentum: float) -> str:
    if name == "SGD":
        # Decoupled decay beside momentum shrinks by ηλ instead of ηλ/(1 − β): another law, not established here.
        return "sgd" if not decoupled or momentum == 0 else ""
    row = CATALOGUE.get(f"torch.{name}".lower())
    adam_like = row is not None and (row.family == "adamw" or name == "Adam")
    return "adamw" if adam_like and decoupled else ""
