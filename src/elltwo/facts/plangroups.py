"""From the rows of a plan and a model's parameters to groups for any stock optimizer, matched by name. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from elltwo.errors import UsageError
from elltwo.facts.decayrow import PlanRow

__all__ = ["build_groups", "match", "plain_name"]

_WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")


def plain_name(name: str) -> str:
    """A parameter's name without what DDP, FSDP, torch.compile, checkpoint and PEFT wrappers add."""
    for wrapper in _WRAPPERS:
        name = name.replace(wrapper, "")
    while name.startswith("module."):
        name = name.removeprefix("module.")
    return name.removeprefix("base_model.model.").replace(".base_layer.", ".")


def match(rows: Sequence[PlanRow], model: Any) -> Mapping[str, Any]:
    """The parameters of ``model`` under the rows' names, through wrappers and whichever name of a tie is left.

    Raises
    ------
    UsageError
        If a planned tensor is missing in the model, or a trainable one is not planned.
    """
    have = {plain_name(n): p for n, p in model.named_parameters()}
    missing = [r.name for r in rows if not any(n in have for n in (r.name, *r.aliases))]
    known = {n for r in rows for n in (r.name, *r.aliases)}
    foreign = [n for n in have if n not in known and have[n].requires_grad]
    if missing or foreign:
        raise UsageError(
            f"plan and model do not fit: {len(missing)} planned tensors are missing {missing[:3]}, "
            f"{len(foreign)} trainable ones are not planned {foreign[:3]}; plan this model again"
        )
    return {r.name: next(have[n] for n in (r.name, *r.aliases) if n in have) for r in rows}


def build_groups(
    rows: Sequence[PlanRow],
    tensors: Mapping[str, Any],
    *,
    lr: float | None,
    by: str,
    number: Callable[[float], Any],
    named: bool,
    extra: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """One group per key, in the order of the rows; frozen tensors are in none."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        if not row.trainable:
            continue
        key = _group_key(row, by)
        if key not in found:
            found[key] = {"params": [], **_group_options(row, by, lr, number), **extra}
        tensor = tensors[row.name]
        found[key]["params"].append((row.name, tensor) if named else tensor)
    return list(found.values())


def _group_key(row: PlanRow, by: str) -> tuple[Any, ...]:
    shared = (row.strength, row.law, row.lr_scale)
    keys = {"strength": shared, "role": (row.role, *shared), "tensor": (row.name,)}
    if by not in keys:
        raise UsageError(f"unknown grouping {by!r}: choose one of 'strength', 'role', 'tensor'")
    return keys[by]


def _group_options(row: PlanRow, by: str, lr: float | None, number: Callable[[float], Any]) -> dict[str, Any]:
    label = {"strength": "decay" if row.strength else "no decay", "role": row.role, "tensor": row.name}[by]
    options: dict[str, Any] = {"weight_decay": number(row.strength), "name": label, "law": row.law}
    if lr is not None:
        options["lr"] = lr * row.lr_scale
    return options
