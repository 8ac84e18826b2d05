"""scikit-learn's own ten kernel-ridge tests pass through ours."""

import os
import re
import subprocess
import sys
from pathlib import Path


def test_scikit_learns_kernel_ridge_tests_pass_through_ours():
    options = ["-q", "-p", "kernel_swap", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *options,
            "-c",
            os.devnull,
            "--pyargs",
            "sklearn.tests.test_kernel_ridge",
        ],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    assert "10 passed" in run.stdout
    fits = int(re.search(r"fits by elltwo: (\d+)", run.stdout)[1])
    assert fits >= 10
