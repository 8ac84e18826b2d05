"""The report in a real browser: silent, offline, and its slider computes what Python computes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from browser import Browser, binary
from elltwo import BandedRidgeCV, SparseRidgeCV
from elltwo.factoring import factor
from elltwo.factoring.folds import factor_folds
from elltwo.facts.problem import Penalty, Problem
from elltwo.reporting import write_html
from elltwo.reporting.figures.axes import tick
from elltwo.reporting.words import shown
from elltwo.selecting.kfold import kfold
from elltwo.selecting.loo import loo
from elltwo.shrinking import shrink
from report_cases import (
    diabetes,
    diabetes_problem,
    odd_shapes,
    random_table,
    report_of,
    spectra,
    spectra_problem,
)

pytestmark = pytest.mark.skipif(binary() is None, reason="no Chromium is installed")

COLUMNS = (
    "Object.fromEntries([...document.querySelectorAll('data[data-column]')].map("
    "n => [n.dataset.column, +n.value]))"
)
READOUT = "[...document.querySelectorAll('#readout data')].map(n => n.value)"
SLIDE = (
    "{{ const i = document.getElementById('strength'); i.value = {}; i.dispatchEvent(new Event('input')); }}"
)
MARKS = "[...document.querySelectorAll('.mark-line')].map(n => +n.getAttribute('x1'))"


@pytest.fixture(scope="module")
def browser():
    with Browser() as b:
        yield b


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Report → file, written once."""
    folder, known = tmp_path_factory.mktemp("pages"), {}

    def write(report):
        if id(report) not in known:
            known[id(report)] = folder / f"{len(known)}.html"
            write_html(report, known[id(report)])
        return known[id(report)]

    return write


def python_at(problem, alpha, folds=None):
    """Coefficients, intercept, degrees of freedom and mean squared error by the program itself."""
    r = factor(problem)
    solution = shrink(r, alpha)
    if folds is None:
        mse = loo(r, np.array([alpha])).mean[0, 0]
    else:
        mse = kfold(factor_folds(problem, folds, r), np.array([alpha])).mean[0, 0]
    return solution, mse


def compare(browser, problem, alpha, folds=None, rtol=1e-9):
    """What the page shows now against Python at the same λ."""
    solution, mse = python_at(problem, alpha, folds)
    coef = solution.coef[:, 0]
    seen = browser.ask(COLUMNS)
    got = np.array([seen[str(j)] for j in range(coef.size)])
    np.testing.assert_allclose(got, coef, rtol=rtol, atol=rtol * np.abs(coef).max())
    shown_alpha, df, error, _ = browser.ask(READOUT)
    intercept = browser.ask("document.getElementById('intercept').value")
    assert float(shown_alpha.replace("Infinity", "inf")) == pytest.approx(alpha)
    assert float(df) == pytest.approx(solution.df[0], rel=rtol)
    assert float(error) == pytest.approx(mse, rel=rtol)
    assert float(intercept) == pytest.approx(solution.intercept[0], rel=1e-8)


@pytest.mark.parametrize("alpha", [0.0123, 3.7, 24.0, 5e3])
def test_the_sliders_coefficients_and_error_equal_pythons(browser, page, alpha):
    problem, _ = diabetes_problem()
    folds = np.random.default_rng(0).permutation(np.arange(442) % 5)
    browser.open(page(diabetes()), f"#lambda={alpha!r}")
    compare(browser, problem, alpha, folds)


def test_the_ends_are_no_regularization_and_nothing_but_the_mean(browser, page):
    problem, _ = diabetes_problem()
    folds = np.random.default_rng(0).permutation(np.arange(442) % 5)
    browser.open(page(diabetes()))
    for button, alpha in (("go-none", 0.0), ("go-all", np.inf), ("go-chosen", diabetes()["fit"]["alpha"])):
        browser.ask(f"document.getElementById('{button}').click()")
        compare(browser, problem, alpha, folds)


def test_moving_the_slider_moves_marker_numbers_and_conventions(browser, page):
    browser.open(page(diabetes()))
    before = browser.ask(MARKS)
    browser.ask(SLIDE.format(700))
    low, high = diabetes()["slider"]["range"]
    alpha = 10 ** (low + 0.7 * (high - low))
    after = browser.ask(MARKS)
    assert len(after) == 3
    assert all(b > a for a, b in zip(before, after, strict=True))
    problem, _ = diabetes_problem()
    compare(browser, problem, alpha, np.random.default_rng(0).permutation(np.arange(442) % 5))
    shown_row = browser.ask("document.querySelector('data[data-live=times]').textContent")
    assert shown_row == shown(alpha, 4)


def test_a_wide_table_with_weights_free_columns_and_prior_mean_agrees_too(browser, page):
    A, b = random_table(n=30, p=7)
    w = np.random.default_rng(4).uniform(0.5, 2, 30)
    free = Penalty(scale=np.array([0.0, 0, 1, 1, 2, 1, 1]), x0=np.full(7, 0.5))
    for problem in (Problem(A, b, w, True, free), Problem(*random_table(n=15, p=60))):
        browser.open(page(report_of(problem)), "#lambda=2.5")
        compare(browser, problem, 2.5)


def test_spectra_with_401_columns_are_carried_whole_and_exact(browser, page):
    report = spectra()
    assert report["slider"]["all"]
    browser.open(page(report), "#lambda=0.031")
    seen = browser.ask(COLUMNS)
    coef = shrink(factor(spectra_problem()), 0.031).coef[:, 0]
    assert len(seen) == 400  # as many as the table lists
    expected = coef[[int(j) for j in seen]]
    np.testing.assert_allclose(list(seen.values()), expected, rtol=1e-9, atol=1e-9 * np.abs(coef).max())


def test_where_not_all_columns_fit_those_shown_are_exact(browser, page):
    report = odd_shapes()["too wide for all columns"]()
    A, b = random_table(n=30, p=300, seed=2)
    browser.open(page(report), "#lambda=50")
    coef = shrink(factor(Problem(np.tile(A, 10), b)), 50.0).coef[:, 0]
    seen = browser.ask(COLUMNS)
    assert set(seen) <= {str(j) for j in report["slider"]["columns"]}
    np.testing.assert_allclose(list(seen.values()), coef[[int(j) for j in seen]], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "case", ["infinity", "zero", "one column", "constant target", "interpolating", "no intercept"]
)
def test_odd_pages_run_without_a_word(browser, page, case):
    said = len(browser.said)
    browser.open(page(odd_shapes()[case]()))
    browser.ask(SLIDE.format(300))
    assert browser.said[said:] == []
    assert browser.ask("document.getElementById('bar').hidden") is False


@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_sticks_out_of_the_window(browser, page, width):
    browser.screen(width)
    for report in (diabetes(), spectra()):
        browser.open(page(report))
        assert browser.ask("document.documentElement.scrollWidth") <= width


def test_the_slider_stays_in_view_while_the_page_scrolls(browser, page):
    for width in (1200, 390):
        browser.screen(width)
        browser.open(page(diabetes()))
        top, height = browser.ask(
            "(scrollTo(0, 2500), (b => [b.top, b.height])(document.getElementById('bar').getBoundingClientRect()))"
        )
        assert abs(top) < 1
        assert height < 0.2 * 900


def test_dark_paper_gets_light_ink(browser, page):
    ink = "getComputedStyle(document.body).color"
    line = "getComputedStyle(document.querySelector('#path-figure .s-accent')).stroke"
    browser.screen(1200)
    browser.open(page(diabetes()))
    light = browser.ask(ink), browser.ask(line)
    browser.screen(1200, dark=True)
    dark = browser.ask(ink), browser.ask(line)
    assert light[0] != dark[0]
    assert light[1] != dark[1]
    browser.screen(1200, dark=True, media="print")
    assert browser.ask(ink) == "rgb(0, 0, 0)"
    assert browser.ask("getComputedStyle(document.getElementById('bar')).display") == "none"
    browser.screen(1200)


def test_the_slider_can_be_worked_by_keyboard_and_says_what_it_does(browser, page):
    browser.open(page(diabetes()))
    browser.ask("document.getElementById('strength').focus()")
    before = browser.ask("document.getElementById('strength').getAttribute('aria-valuetext')")
    for kind in ("keyDown", "keyUp"):
        browser.call(
            "Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight", windowsVirtualKeyCode=39
        )
    after = browser.ask("document.getElementById('strength').getAttribute('aria-valuetext')")
    assert after != before
    assert after.startswith("λ = ")


def test_numbers_are_rounded_alike_in_both_languages(browser, page):
    browser.open(page(diabetes()), "#lambda=1234.5678")
    assert browser.ask("document.querySelector('#readout data').textContent") == shown(1234.5678)
    assert tick(-1500.0) == "−1,500"


def test_no_page_said_or_fetched_anything(browser, page):
    """Of this page and of all those before it: no console entry, and no address but their own."""
    browser.open(page(diabetes()))
    browser.ask(SLIDE.format(200))
    assert browser.said == []
    assert all(
        address.startswith("file:") and address.split("#")[0].endswith(".html") for address in browser.asked
    )
    assert browser.ask("performance.getEntriesByType('resource').length") == 0


def test_the_watch_would_have_noticed(page, tmp_path):
    """The same page with a picture from a network, an inline style and a word on the console is caught."""
    text = page(diabetes()).read_text(encoding="utf-8")
    spoiled = '<main id="main"><img src="https://example.org/x.png" alt=""><p style="color:red">x</p>'
    (tmp_path / "bad.html").write_text(text.replace('<main id="main">', spoiled), encoding="utf-8")
    with Browser() as b:
        b.open(tmp_path / "bad.html")
        b.ask("console.log('a word')")
        said = " ".join(b.said)
    assert "img-src" in said
    assert "style-src" in said
    assert "a word" in said


@pytest.fixture(scope="module")
def small_pages(tmp_path_factory):
    """Pages without a slider: groups with strengths of their own, and a design too large to factor."""
    folder, rng = tmp_path_factory.mktemp("small"), np.random.default_rng(0)
    X = rng.normal(size=(120, 30))
    y = X[:, :10] @ rng.normal(size=10) + rng.normal(size=120)
    names = np.repeat(["a group of a rather long name that goes on", "<b>", "c"], 10)
    BandedRidgeCV(names).fit(X[:80], y[:80]).write_report(folder / "banded.html", X[80:], y[80:])
    A = sparse.random_array((300, 80), density=0.1, rng=rng, format="csr")
    SparseRidgeCV().fit(A, A @ rng.normal(size=80) + rng.normal(size=300)).write_report(folder / "large.html")
    return [folder / "banded.html", folder / "large.html"]


@pytest.mark.parametrize("width", [1200, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_pages_of_groups_and_of_large_fits_are_silent_offline_and_fit_the_window(
    browser, small_pages, width, dark
):
    browser.screen(width, dark=dark)
    for path in small_pages:
        said, asked = len(browser.said), len(browser.asked)
        browser.open(path)
        assert browser.said[said:] == []
        assert browser.asked[asked:] == [path.as_uri()]
        assert browser.ask("document.documentElement.scrollWidth") <= width
        assert browser.ask("document.querySelectorAll('svg').length") >= 3
        light = sum(browser.ask("getComputedStyle(document.body).color.match(/\\d+/g).map(Number)")) > 380
        assert light == dark
    browser.screen(1200)
