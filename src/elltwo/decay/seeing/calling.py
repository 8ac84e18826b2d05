"""Call a model on a batch, collect what comes out, and refuse in sentences what cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from copy import copy
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import nn

from elltwo.errors import InputError, UsageError
from elltwo.facts.decayplan import plain_name

Forward = Callable[[nn.Module, Any], Any]


def tensors_in(value: Any, depth: int = 0) -> Iterator[torch.Tensor]:
    """Every tensor in nested tuples, lists, mappings and dataclasses."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from tensors_in(item, depth + 1)
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from tensors_in(item, depth + 1)
    elif is_dataclass(value) and not isinstance(value, type) and depth < 4:
        for f in fields(value):
            yield from tensors_in(getattr(value, f.name), depth + 1)


def map_tensors(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The same nested structure with every tensor changed."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, Mapping):
        items = {k: map_tensors(v, change) for k, v in value.items()}
        if type(value) is dict or not isinstance(value, MutableMapping):
            return items
        same = copy(value)  # e.g. a tokenizer's batch, whose fields are attributes too
        same.update(items)
        return same
    if isinstance(value, (tuple, list)):
        parts = [map_tensors(v, change) for v in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


def copied(batch: Any) -> Any:
    """The batch with tensors of its own, so that a forward pass that writes into its inputs harms nobody."""
    return map_tensors(batch, lambda t: t.detach().clone().requires_grad_(t.requires_grad))


def call(model: nn.Module, batch: Any, forward: Forward | None = None) -> Any:
    """The model's output: ``forward(model, batch)``, else batch as tensor, positional tuple or keyword dict."""
    if forward is not None:
        return forward(model, batch)
    if isinstance(batch, Mapping):
        return model(**batch)
    if isinstance(batch, (tuple, list)):
        return model(*batch)
    return model(batch)


def checked_call(
    model: nn.Module,
    batch: Any,
    forward: Forward | None = None,
    loss: Callable[[Any], Any] | None = None,
) -> Any:
    """:func:`call`, then ``loss`` if there is one, with any failure of the user's code turned into one sentence.

    Raises
    ------
    InputError
        If the forward pass or the loss raises; the original exception is the cause.
    """
    try:
        out = call(model, batch, forward)
    except Exception as error:  # whatever the user's forward or hooks raise
        shapes = ", ".join(
            f"{tuple(t.shape)} {str(t.dtype).removeprefix('torch.')}" for t in tensors_in(batch)
        )
        text = _first_line(error)
        raise InputError(
            f"{type(model).__name__} failed on the batch ({shapes or type(batch).__name__}): "
            f"{type(error).__name__}: {text}. {_advice(text)}"
        ) from error
    try:
        return loss(out) if loss else out
    except Exception as error:  # whatever the user's loss raises
        text = _first_line(error)
        raise InputError(
            f"loss failed on the output of {type(model).__name__}: {type(error).__name__}: {text}. "
            "It takes what the forward pass returns and gives tensors"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200].rstrip(".!")


def _advice(text: str) -> str:
    if "Expected more than 1 value per channel" in text:
        return "Batch norm in train mode needs at least two values per channel: pass a larger batch"
    if "device" in text:
        return "Put the batch on the model's own device"
    if "positional argument" in text and " were given" in text:
        return (
            "A tuple or list is handed over as positional arguments: leave targets out, pass keyword arguments as a "
            "dict, or forward=lambda model, batch: loss(model(batch[0]), batch[1])"
        )
    if "unexpected keyword" in text or ("missing" in text and "argument" in text):
        return "Pass keyword arguments as a dict, positional ones as a tuple, or forward=lambda model, batch: ..."
    if "shape" in text or "size" in text or "dimension" in text or "dimensional" in text:
        return "Pass a batch of the shape that the model trains on"
    return "Pass the batch of one training step, or forward=lambda model, batch: ... that runs it"


def differentiable(output: Any) -> list[torch.Tensor]:
    """The floating-point tensors of an output that depend on parameters.

    Raises
    ------
    InputError
        If there is none.
    """
    found = [t for t in tensors_in(output) if t.requires_grad]
    if not found:
        what = "None" if output is None else type(output).__name__
        raise InputError(
            f"the forward pass returned {what}, in which no tensor depends on a parameter: pass "
            "forward=lambda model, batch: ... that returns outputs or a loss (and does not detach them)"
        )
    return found


def unwrap(model: Any) -> nn.Module:
    """The module inside DDP, DataParallel and torch.compile wrappers.

    Raises
    ------
    UsageError
        If ``model`` is not a module.
    """
    if not isinstance(model, nn.Module):
        raise UsageError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    while True:
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod
        elif isinstance(model, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
            model = model.module
        else:
            return model


def named_tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    """Distinct parameters under their first name, without wrappers' prefixes.

    Raises
    ------
    InputError
        If there is no parameter, or one is lazy, sharded, or of a type that cannot be decayed.
    """
    found: dict[str, torch.Tensor] = {plain_name(n): p for n, p in model.named_parameters()}
    if not found:
        raise InputError(f"{type(model).__name__} has no parameters: there is nothing to decay")
    for name, p in found.items():
        if torch.nn.parameter.is_lazy(p):
            raise InputError(
                f"parameter {name!r} is not created yet (lazy module): run one forward pass first"
            )
        if p.is_inference():
            raise InputError(
                f"parameter {name!r} was made in torch.inference_mode, which forbids training: build it outside"
            )
        if hasattr(p, "device_mesh"):
            raise InputError(
                f"parameter {name!r} is sharded: plan before fully_shard, then groups(model=sharded)"
            )
    return found


def aliases(model: nn.Module) -> dict[int, tuple[str, ...]]:
    """All names of each parameter (tied ones have several), by id."""
    names: dict[int, list[str]] = {}
    for name, p in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(p), []).append(plain_name(name))
    return {i: tuple(ns) for i, ns in names.items()}


def batch_from_model(model: nn.Module) -> Any:
    """A batch that the model itself documents (Lightning, transformers), or None."""
    for attribute in ("example_input_array", "dummy_inputs"):
        try:
            value = getattr(model, attribute, None)
        except (NotImplementedError, AttributeError, TypeError, ValueError):
            continue  # a property that this model does not implement
        if value is not None and any(True for _ in tensors_in(value)):
            return value
    return None
