"""Where text goes: results to stdout, messages and progress to stderr, colour only on a terminal."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

WIDTH = 80


def colour(stream: TextIO) -> bool:
    """Whether a stream may be coloured: a terminal, and NO_COLOR is not set (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str) -> None:
    """A message for the person at the terminal, on stderr."""
    sys.stderr.write(text + "\n")


def put(text: str) -> None:
    """A result, on stdout."""
    sys.stdout.write(text if text.endswith("\n") else text + "\n")


def put_json(data: Any) -> None:
    """A result as JSON on stdout; NaN and infinity become null, which JSON has no word for."""
    put(json.dumps(plain(data), ensure_ascii=False, indent=2, allow_nan=False))


def plain(data: Any) -> Any:
    """Arrays to lists, NumPy scalars to numbers, what is not finite to None."""
    if isinstance(data, dict):
        return {str(k): plain(v) for k, v in data.items()}
    if isinstance(data, (list, tuple)):
        return [plain(v) for v in data]
    if hasattr(data, "tolist"):
        return plain(data.tolist())
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data


def bold(text: str, stream: TextIO | None = None) -> str:
    """Text that stands out on a terminal, and is itself elsewhere."""
    return f"\033[1m{text}\033[0m" if colour(stream or sys.stdout) else text


def dim(text: str, stream: TextIO | None = None) -> str:
    """Text that stands back on a terminal, and is itself elsewhere."""
    return f"\033[2m{text}\033[0m" if colour(stream or sys.stdout) else text


@contextmanager
def progress(what: str, quiet: bool = False) -> Iterator[None]:
    """A spinner on stderr while something runs; silent unless stderr is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    console = Console(stderr=True, no_color=not colour(sys.stderr))
    with console.status(what, spinner="line"):
        yield
