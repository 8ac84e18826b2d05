"""Leave a model as it was: data, grads, buffers, modes, attributes, random states; also after an exception."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

_TABLES = ("_parameters", "_buffers", "_modules")


@dataclass(frozen=True)
class _Module:
    module: nn.Module
    kind: type
    attributes: dict[str, Any]
    tables: dict[str, dict[str, Any]]
    contents: list[tuple[Any, Any]]


@dataclass(frozen=True)
class _Tensor:
    tensor: torch.Tensor
    data: torch.Tensor
    grad: torch.Tensor | None
    requires_grad: bool


@contextmanager
def kept(model: nn.Module, *, working_copy: bool = True) -> Iterator[None]:
    """Run a block that may do anything to ``model``; afterwards it is as before.

    With ``working_copy`` the block sees copies of parameters and buffers, so that updates in place
    (batch-norm statistics, clamped gains) never reach the originals. Costs one copy of the model.
    """
    with torch.inference_mode(False):  # an inference tensor would refuse the gradients asked for
        modules = [_remember(m) for m in model.modules()]
        tensors = [_set_aside(t, working_copy) for t in _all_tensors(model)]
        devices = sorted({s.data.device.index for s in tensors if s.data.is_cuda})
        grad_mode = torch.is_grad_enabled()
        try:
            with torch.random.fork_rng(devices=devices), _other_random_states():
                yield
        finally:
            torch.set_grad_enabled(grad_mode)
            for m in modules:
                _restore_module(m)
            for s in tensors:
                _restore_tensor(s)


@contextmanager
def _other_random_states() -> Iterator[None]:
    """Python's and NumPy's, which some forward passes draw masks from."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the legacy state is what they use
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002 - as above


def _all_tensors(model: nn.Module) -> Iterator[torch.Tensor]:
    seen: set[int] = set()
    for tensor in [*model.parameters(), *model.buffers()]:
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield tensor


def _remember(module: nn.Module) -> _Module:
    attributes = {k: v for k, v in module.__dict__.items() if k not in _TABLES}
    # A scripted module's tables are views of its C++ side: nothing to put back.
    tables = {k: dict(v) for k, v in module.__dict__.items() if k in _TABLES and isinstance(v, dict)}
    contents: list[tuple[Any, Any]] = []
    for value in attributes.values():
        _remember_container(value, contents, depth=3)
    return _Module(module, type(module), attributes, tables, contents)


def _remember_container(value: Any, found: list[tuple[Any, Any]], depth: int) -> None:
    """Shallow copies of lists, dicts, sets and deques (hooks, logs, caches), a few levels down."""
    if not isinstance(value, (list, dict, set, deque)) or depth == 0:
        return
    found.append((value, copy(value)))
    for item in value.values() if isinstance(value, dict) else value:
        _remember_container(item, found, depth - 1)


def _restore_container(value: Any, content: Any) -> None:
    value.clear()
    (value.update if isinstance(value, (dict, set)) else value.extend)(content)


def _restore_module(kept_module: _Module) -> None:
    module = kept_module.module
    if type(module) is not kept_module.kind:
        module.__class__ = kept_module.kind
    current = module.__dict__
    for name in [k for k in current if k not in kept_module.attributes and k not in _TABLES]:
        del current[name]
    current.update(kept_module.attributes)
    for name, content in kept_module.tables.items():
        table = current[name]
        table.clear()
        table.update(content)
    for value, content in kept_module.contents:
        _restore_container(value, content)


def _set_aside(tensor: torch.Tensor, working_copy: bool) -> _Tensor:
    saved = _Tensor(tensor, tensor.data, tensor.grad, tensor.requires_grad)
    if tensor.grad is not None:
        tensor.grad = None
    if working_copy:
        tensor.data = tensor.data.clone()
    return saved


def _restore_tensor(saved: _Tensor) -> None:
    saved.tensor.data = saved.data
    if saved.tensor.is_leaf:
        saved.tensor.requires_grad_(saved.requires_grad)
        saved.tensor.grad = saved.grad


@contextmanager
def as_trained(model: nn.Module) -> Iterator[None]:
    """Train mode, as training would set it.

    A model in train mode is taken as it stands, so that a batch norm deliberately put in eval mode stays
    frozen. A model in eval mode gets ``model.train()`` (which a class may override to keep parts frozen).
    """
    modes = [(m, m.training) for m in model.modules()]
    try:
        if not model.training:
            model.train()
        yield
    finally:
        for module, mode in modes:
            module.training = mode
