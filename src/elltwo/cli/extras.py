"""Rooms that need an optional package: imported when a command runs, or one sentence says what to install."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from elltwo.errors import missing_extra


def torch_room(module: str) -> ModuleType:
    """A module that needs torch.

    Raises
    ------
    MissingExtra
        torch is not installed; the sentence says how to bring it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != "torch":
            raise
        raise missing_extra("torch", "torch", "this command") from None
