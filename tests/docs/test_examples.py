"""Every example runs and draws its picture."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_the_example_runs_and_draws(path, tmp_path):
    if "torch" in path.read_text():
        pytest.importorskip("torch")
    spec = importlib.util.spec_from_file_location(f"example_{path.stem}", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    picture = tmp_path / "picture.png"
    example.main(str(picture))
    assert picture.read_bytes().startswith(b"\x89PNG")
