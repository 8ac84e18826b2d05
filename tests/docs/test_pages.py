"""Every python block of every page runs, top to bottom, away from the source tree; links lead somewhere."""

import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")


def blocks(page: Path) -> list[str]:
    return BLOCK.findall(page.read_text())


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_the_code_on_the_page_runs(page, tmp_path, monkeypatch):
    source = "\n".join(blocks(page))
    if "torch" in source or "elltwo.decay" in source:
        pytest.importorskip("torch")
    if "dask" in source:
        pytest.importorskip("dask")
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "page"}
    exec(compile(source, str(page), "exec"), namespace)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    broken = [
        link
        for link in LINK.findall(page.read_text())
        if not link.startswith(("http", "mailto:")) and not os.path.exists(page.parent / link)
    ]
    assert not broken, f"{page.name} links to {broken}"


def test_the_figures_beside_the_first_example_are_those_it_prints(tmp_path, monkeypatch):
    example = blocks(ROOT / "README.md")[0]
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    exec(compile(example, "README.md", "exec"), names)
    model, X = names["model"], names["X"]
    sentence = re.search(r"# (λ = [^.]*\.\d+ has the least [^.]*) \.\.\.", example)[1]
    assert model.selection_.sentence.startswith(sentence)
    left, of = re.search(r"degrees of freedom left: ([\d.]+) of (\d+)", example).groups()
    assert f"{model.solution_.df[0]:.2f}" == left
    assert X.shape[1] + 1 == int(of)
