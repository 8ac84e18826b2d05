"""Leave a model as it was: data, grads, buffers, modes, attributes, random state; also after an exception."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

_TABLES = ("_parameters", "_buffers", "_modules")


@dataclass(frozen=True)
class _Module:
    module: nn.Module
    kind: type
    attributes: dict[str, Any]
    tables: dict[str, dict[str, Any]]


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
    modules = [_remember(m) for m in model.modules()]
    tensors = [_set_aside(t, working_copy) for t in _all_tensors(model)]
    devices = sorted({s.data.device.index for s in tensors if s.data.is_cuda})
    grad_mode = torch.is_grad_enabled()
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        torch.set_grad_enabled(grad_mode)
        for m in modules:
            _restore_module(m)
        for s in tensors:
            _restore_tensor(s)


def _all_tensors(model: nn.Module) -> Iterator[torch.Tensor]:
    seen: set[int] = set()
    for tensor in [*model.parameters(), *model.buffers()]:
        if id(tensor) not in seen:
            seen.add(id(tensor))
            yield tensor


def _remember(module: nn.Module) -> _Module:
    attributes = {k: v for k, v in module.__dict__.items() if k not in _TABLES}
    tables = {k: dict(module.__dict__[k]) for k in module.__dict__ if k in _TABLES}
    return _Module(module, type(module), attributes, tables)


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
