"""The page of a fit whose unknowns are no columns: it holds what the fit says, and nothing it cannot know."""

from __future__ import annotations

import json
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from elltwo import KernelRidgeCV, reconstruct
from elltwo.errors import OutputError
from elltwo.inverse import testproblems
from elltwo.inverse.evidence import l_curve
from elltwo.operators import convolution, gaussian_psf
from elltwo.reporting.spectral import FIGURES, collect_spectral

shaw = testproblems.shaw(32)
pytestmark = pytest.mark.filterwarnings("ignore::elltwo.errors.ChoiceWarning")


class Balanced(HTMLParser):
    """Every element that was opened is closed, in order."""

    VOID = frozenset({"meta", "img", "link", "br", "input"})

    def __init__(self):
        super().__init__()
        self.open = []
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def _parsed(path):
    parser = Balanced()
    parser.feed(path.read_text(encoding="utf-8"))
    assert parser.open == []
    return parser


def _picture():
    field = convolution(gaussian_psf(1.0), (20, 24))
    x = np.kron(np.arange(20.0).reshape(4, 5), np.ones((5, 5)))[:, :24].ravel()
    return reconstruct(field, field @ x, L="laplacian")


noisy = shaw.noisy(0.01)
ANSWERS = {
    "dense": lambda: reconstruct(shaw.A, noisy),
    "given": lambda: reconstruct(shaw.A, noisy, lam=0.1),
    "bounded": lambda: reconstruct(shaw.A, noisy, bounds=(0, None)),
    "all noise": lambda: reconstruct(shaw.A, noisy, noise=100.0),
    "no data": lambda: reconstruct(shaw.A, np.zeros(32)),
    "two": lambda: reconstruct(shaw.A, np.column_stack([noisy, 2 * noisy])),
    "steps": lambda: reconstruct(shaw.A, noisy, method="golub_kahan"),
    "picture": _picture,
}


@pytest.mark.parametrize("name", list(ANSWERS))
def test_every_reconstruction_has_a_whole_page(name, tmp_path):
    answer = ANSWERS[name]()
    answer.write_report(tmp_path / "page.html", title=f"<{name}>")
    page = _parsed(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"&lt;{name}&gt;" in text
    assert "mathdefault" not in text
    assert all(f.sentence in unescape(text) for f in answer.findings)
    assert ("img" in page.seen) == (name == "picture")


def test_the_facts_are_plain_data_and_those_of_the_answer():
    answer = reconstruct(shaw.A, shaw.noisy(0.01))
    report = collect_spectral(
        rotated=answer.rotated,
        solution=answer.solution,
        selection=answer.selection,
        title="t",
        noise=answer.noise,
        answer=answer.coef,
    )
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    np.testing.assert_array_equal(report["solution"], answer.coef)
    assert report["fit"]["alpha"] == answer.alpha
    assert set(FIGURES) - {"filters"} <= set(report)


def test_the_choice_is_a_point_of_the_l_curve():
    answer = reconstruct(shaw.A, shaw.noisy(0.01))
    curve = l_curve(answer)
    np.testing.assert_allclose(curve.lam[curve.chosen], answer.lam, rtol=1e-12)
    np.testing.assert_allclose(curve.residual[curve.chosen], answer.residual_norm, rtol=1e-9)
    np.testing.assert_allclose(curve.size[curve.chosen], answer.solution_norm, rtol=1e-9)


def test_the_sentence_speaks_of_the_strength_that_multiplies_l():
    answer = reconstruct(shaw.A, shaw.noisy(0.01))
    assert f"λ = {answer.lam:.4g} (α = λ² = {answer.alpha:.4g})" in answer.selection.sentence


@pytest.mark.parametrize(
    "options",
    [{}, {"rule": "gcv"}, {"approximation": "nystroem", "n_components": 12}, {"kernel": "chi2"}],
    ids=str,
)
def test_a_kernel_machine_has_a_page_and_a_picture_of_its_choice(options, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.random((40, 2))
    face = KernelRidgeCV(**options).fit(X, np.sin(5 * X[:, 0]) + 0.1 * rng.normal(size=40))
    face.write_report(tmp_path / "page.html")
    _parsed(tmp_path / "page.html")
    assert len(face.plot_selection().axes[0].lines) > 1


def test_a_page_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(OutputError):
        reconstruct(shaw.A, shaw.noisy(0.01)).write_report(tmp_path / "missing" / "page.html")
