"""What ``elltwo plan`` and ``elltwo audit`` do, as plain functions from a target to text, data and an exit code.

A target is ``path/to/file.py:function``. The function takes no arguments and returns one of

- a model,
- (model, batch),
- (model, batch, optimizer),
- a dict with "model" and any of "batch", "optimizer", "forward", "loss", "plan", "steps", "steps_per_epoch".
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from elltwo.decay.auditing import audit
from elltwo.decay.planning.plan import decay_plan
from elltwo.errors import InputError, UsageError
from elltwo.facts.decayplan import DecayPlan
from elltwo.facts.finding import Finding

_KEYS = ("model", "batch", "optimizer", "forward", "loss", "plan", "steps", "steps_per_epoch")


def load_target(target: str) -> dict[str, Any]:
    """Import the file, call the function, return what it built as a dict with at least "model".

    Raises
    ------
    UsageError
        If the target is not ``file.py:function``, or the function returns something else.
    InputError
        If the file cannot be imported or the function fails.
    """
    path, _, name = target.rpartition(":")
    if not path or not name.isidentifier():
        raise UsageError(f"target {target!r} is not of the form path/to/train.py:build")
    file = Path(path)
    if not file.is_file():
        raise InputError(f"there is no file {path!r}: give path/to/train.py:build")
    build = getattr(_imported(file), name, None)
    if not callable(build):
        raise UsageError(f"{path} has no function {name!r}: define def {name}(): return model, batch")
    try:
        return _as_dict(build(), target)
    except (UsageError, InputError):
        raise
    except Exception as error:  # the user's own code may raise anything
        raise InputError(f"{target} failed: {type(error).__name__}: {error}") from error


def _imported(file: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"_elltwo_target_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file} cannot be imported as Python: give a .py file")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(file.parent.resolve()))
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the user's own code may raise anything
        raise InputError(f"{file} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.pop(0)
    return module


def _as_dict(built: Any, target: str) -> dict[str, Any]:
    if isinstance(built, nn.Module):
        return {"model": built}
    if isinstance(built, tuple) and 1 <= len(built) <= 3 and isinstance(built[0], nn.Module):
        return dict(zip(("model", "batch", "optimizer"), built, strict=False))
    if isinstance(built, Mapping) and isinstance(built.get("model"), nn.Module):
        odd = [k for k in built if k not in _KEYS]
        if odd:
            raise UsageError(f"{target} returned a dict with unknown keys {odd}: known are {list(_KEYS)}")
        return dict(built)
    raise UsageError(
        f"{target} returned {type(built).__name__}: return a model, (model, batch), (model, batch, optimizer) or a "
        "dict with 'model'"
    )


def plan_command(target: str, **options: Any) -> DecayPlan:
    """The plan of what a target builds; ``options`` are those of ``decay_plan``."""
    built = load_target(target)
    own = {k: built[k] for k in ("forward", "loss") if k in built}
    return decay_plan(built["model"], built.get("batch"), **own, **options)


def audit_command(target: str, steps: int | None = None) -> tuple[tuple[Finding, ...], int]:
    """Findings of a target that builds an optimizer, and the exit code: 0 clean or info only, 1 otherwise.

    Raises
    ------
    UsageError
        If the target builds no optimizer.
    """
    built = load_target(target)
    if built.get("optimizer") is None:
        raise UsageError(f"{target} returned no optimizer: return (model, batch, optimizer)")
    options = {k: v for k, v in built.items() if k not in ("model", "optimizer")}
    if steps is not None:
        options["steps"] = steps
    result = audit(built["optimizer"], built["model"], **options)
    return result.findings, result.exit_code
