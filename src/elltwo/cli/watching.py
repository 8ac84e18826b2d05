"""The progress of a pass: one line on the terminal that counts rows, and nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from elltwo.cli.console import say
from elltwo.cli.words import paragraph

BAR = 16  # characters


@contextmanager
def watching(quiet: bool) -> Iterator[Any]:
    """What a pass may call with its progress, or None; the line is wiped when the pass ends, however it ends."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    try:
        yield _show
    finally:
        _wipe()


def telling(quiet: bool) -> Callable[[str], None] | None:
    """What a pass may say before it starts, in lines that fit a terminal; None if it is to be quiet."""

    def tell(text: str) -> None:
        if sys.stderr.isatty():  # the progress of the pass before
            _wipe()
        say("\n".join(paragraph(f"{text}.", "", "  ")))

    return None if quiet else tell


def _wipe() -> None:
    sys.stderr.write("\r\033[K")
    sys.stderr.flush()


def _show(progress: Any) -> None:
    sys.stderr.write(f"\r{line(progress)}\033[K")
    sys.stderr.flush()


def line(progress: Any) -> str:
    """``[####------------]  25%  1,250,000 rows, 1,100,000 a second, 3 s left`` (the bar if rows are known)."""
    said = f"{progress.rows:,} rows, {progress.rate:,.0f} a second"
    if not progress.total:
        return said
    share = min(progress.rows / progress.total, 1.0)
    full = round(share * BAR)
    left = "" if progress.left is None else f", {max(progress.left, 0.0):.0f} s left"
    return f"[{'#' * full}{'-' * (BAR - full)}] {share:4.0%}  {said}{left}"
