"""The core works and its tests pass where no extra is installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

BLOCK = '''
"""A pytest plugin that makes every optional package look absent."""
import importlib.abc
import sys

ABSENT = {"torch", "dask", "distributed", "onnx", "onnxruntime", "lightning", "transformers", "timm"}
ABSENT |= {"duckdb", "skimage", "himalaya", "glum", "statsmodels"}


class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Absent())
'''


CORE = ("laws", "tables", "operators", "factoring", "shrinking", "selecting", "estimators", "inverse")
CORE += ("scale", "diagnosing", "reporting", "cli")


@pytest.mark.timeout(900)
def test_core_tests_pass_with_every_optional_package_absent(tmp_path):
    (tmp_path / "no_extras.py").write_text(BLOCK)
    paths = [str(TESTS / "unit" / room) for room in CORE]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no_extras", "-p", "no:cacheprovider", *paths],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTEST_ADDOPTS": ""},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-1000:]
    assert " passed" in run.stdout


def test_a_table_is_fitted_with_no_frame_library_either(tmp_path):
    (tmp_path / "no_extras.py").write_text(BLOCK.replace("ABSENT = {", "ABSENT = {'pandas', 'polars', "))
    code = "import no_extras, sys; from elltwo.cli.main import main; sys.exit(main(sys.argv[1:]))"
    table = TESTS.parent / "src" / "elltwo" / "data" / "longley.csv"
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            "fit",
            str(table),
            "--target",
            "totemp",
            "--report",
            str(tmp_path / "r.html"),
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "alpha" in run.stdout


def test_the_door_opens_with_no_optional_package(tmp_path):
    (tmp_path / "no_extras.py").write_text(BLOCK)
    code = "import no_extras, elltwo; from elltwo import Ridge; print(Ridge().alpha)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.stdout == "1.0\n", run.stderr
