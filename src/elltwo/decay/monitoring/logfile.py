"""Where a monitor writes: a JSONL file that a resumed run continues, and TensorBoard."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from elltwo.errors import InputError, missing_extra
from elltwo.facts.decaylog import DecayLog, dumps
from elltwo.tables.files import atomic_write

__all__ = ["LogFile", "TensorBoard"]


class LogFile:
    """A decay log on disk, one JSON line per record; lines are flushed as they are written.

    Raises
    ------
    InputError
        If the file exists already and ``resume`` is False.
    DataError
        If it exists and is no decay log.
    """

    def __init__(self, path: str | os.PathLike[str], header: Mapping[str, Any], *, resume: bool) -> None:
        self.path = Path(path)
        log = DecayLog(header)
        if self.path.exists() and self.path.stat().st_size > 0:
            if not resume:
                raise InputError(
                    f"{path} already holds a log: pass resume=True to continue it, or choose another path"
                )
            log = self.load()
            if tuple(log.names) != tuple(header.get("tensors", {})):
                raise InputError(f"{path} belongs to another model (its tensors differ): choose another path")
        self._write(log)

    def load(self) -> DecayLog:
        """Everything in the file."""
        return DecayLog.load(self.path)

    def cut(self, step: int) -> None:
        """Drop what was written after ``step`` (a run resumed from an earlier checkpoint)."""
        self._write(self.load().until(step))

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one record."""
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(dumps(record) + "\n")
        except OSError as error:
            raise InputError(f"cannot write the decay log {self.path}: {error.strerror}") from error

    def _write(self, log: DecayLog) -> None:
        atomic_write(self.path, "\n".join(log.lines()) + "\n")


class TensorBoard:
    """Writes records as scalars ``decay/<metric>/<tensor>``; needs the tensorboard package."""

    def __init__(self, target: Any, purge_step: int | None = None) -> None:
        self.writer = target
        self._owned = False
        if isinstance(target, (str, os.PathLike)):
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise missing_extra("tensorboard", "torch", "writing to TensorBoard") from error
            self.writer = SummaryWriter(os.fspath(target), purge_step=purge_step)
            self._owned = True

    def write(self, record: Mapping[str, Any]) -> None:
        """Write one record."""
        step = int(record["step"])
        for name, metrics in record.get("tensors", {}).items():
            for metric, value in metrics.items():
                self._scalar(f"decay/{metric}/{name}", value, step)
        for section in ("scalars", "balance"):
            for name, value in record.get(section, {}).items():
                self._scalar(f"decay/{section}/{name}", value, step)
        self._scalar("decay/lipschitz_log10", record.get("lipschitz_log10"), step)

    def _scalar(self, tag: str, value: Any, step: int) -> None:
        if isinstance(value, (int, float)):
            self.writer.add_scalar(tag, value, step)

    def close(self) -> None:
        """Flush; close the writer if it was opened here."""
        (self.writer.close if self._owned else self.writer.flush)()
