"""Run the program as a person does, and keep what it says."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from elltwo.cli.main import main

DATA = Path(__file__).parents[3] / "src/elltwo/data"
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith("ELLTWO_")}


@dataclass(frozen=True)
class Ran:
    """Exit code and both streams."""

    code: int
    out: str
    err: str


def run(capsys: pytest.CaptureFixture[str], *words: object) -> Ran:
    """In this process: quick."""
    capsys.readouterr()
    code = main([str(w) for w in words])
    out, err = capsys.readouterr()
    return Ran(code, out, err)


def spawn(*words: object, stdin: str = "", cwd: Path | None = None, **environment: str) -> Ran:
    """In a process of its own: everything as it really is."""
    done = subprocess.run(
        [sys.executable, "-m", "elltwo.cli", *map(str, words)],
        input=stdin, capture_output=True, text=True, cwd=cwd, env={**CLEAN, **environment}, timeout=120,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)
