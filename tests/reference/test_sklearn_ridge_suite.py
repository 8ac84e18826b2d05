"""scikit-learn's own ridge tests, from its wheel, run against elltwo's classes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LEAST = 900  # tests that fit one of our classes and pass


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_scikit_learns_own_ridge_tests_pass_with_our_classes_under_its_names(tmp_path: Path) -> None:
    counts = tmp_path / "counts.json"
    here = Path(__file__).parent
    environment = {**os.environ, "ELLTWO_SWAP_COUNTS": str(counts), "PYTHONPATH": str(here)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "sklearn_swap",
        "-p",
        "no:cacheprovider",
        "--tb=line",
    ]
    command += ["--pyargs", "sklearn.linear_model.tests.test_ridge"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=900)
    told = json.loads(counts.read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stdout[-3000:]
    assert told["reached"]["failed"] == 0
    assert told["reached"]["passed"] >= LEAST, told
    assert len(told["skipped_by_us"]) <= 15, told["skipped_by_us"]
