"""The page: one file, nothing from outside, nothing that its policy forbids, and readable by everyone."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from html.parser import HTMLParser

import pytest

from elltwo.errors import DataError, OutputError
from elltwo.facts.problem import Problem
from elltwo.reporting import html, write_html
from elltwo.reporting.page import Section, render
from report_cases import diabetes, odd_shapes, random_table, report_of, spectra

VOID = {"meta", "br", "input", "link", "img", "hr"}


class Reader(HTMLParser):
    """Tags with their attributes, checked to be well nested."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.wrong = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def all(self, tag):
        return [a for t, a in self.tags if t == tag]


@cache
def page(name="diabetes"):
    return html({"diabetes": diabetes, "spectra": spectra, **odd_shapes()}[name]())


@cache
def read(name="diabetes"):
    return Reader(page(name))


def test_elements_are_well_nested():
    assert read().wrong == []
    assert read().open == []


def test_nothing_points_outside_the_file():
    for _, attributes in read().tags:
        for key in ("href", "src", "action", "srcset", "poster", "data"):
            assert attributes.get(key, "#").startswith("#")
    assert "@import" not in page()
    assert not re.search(r"url\((?!#)", page())


def test_the_policy_allows_this_style_and_this_script_and_nothing_else():
    policy = next(
        a["content"] for a in read().all("meta") if a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    style = re.search(r"<style>(.*?)</style>", page(), re.S).group(1)
    script = re.search(r"<script>(.*?)</script>", page(), re.S).group(1)
    for kind, text in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    assert not any("style" in a or any(k.startswith("on") for k in a) for _, a in read().tags)


def test_a_reader_who_cannot_see_finds_landmarks_headings_and_names():
    r = read()
    assert [len(r.all(t)) for t in ("header", "main", "footer", "h1")] == [1, 1, 1, 1]
    assert r.all("html")[0]["lang"] == "en"
    ids = [a["id"] for _, a in r.tags if "id" in a]
    assert len(ids) == len(set(ids))
    for section in r.all("section"):
        assert section["aria-labelledby"] in ids
    for svg in r.all("svg"):
        assert svg["role"] == "img"
        assert all(name in ids for name in svg["aria-labelledby"].split())
    assert all("scope" in a for a in r.all("th"))
    assert r.all("output")[0]["aria-live"] == "polite"
    assert all("aria-label" in a for a in r.all("div") if a.get("role") == "region")
    assert len(r.all("svg")) == 6


def test_colours_are_classes_so_that_dark_paper_works():
    drawing = page()[page().index("<svg") :]
    assert not re.search(r'(fill|stroke)="#', drawing)
    style = re.search(r"<style>(.*?)</style>", page(), re.S).group(1)
    for name in set(re.findall(r'class="([fs]-\w+)"', drawing)):
        assert f".{name} {{" in style
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style


@pytest.mark.parametrize("name", ["diabetes", "spectra"])
def test_a_page_stays_below_a_megabyte(name):
    assert len(page(name).encode()) < 1_000_000


def test_the_largest_page_stays_below_a_megabyte():
    A, b = random_table(n=260, p=200)
    column = {
        "name": "a column with a rather long name",
        "kind": "number",
        "reason": "all values are numbers",
    }
    report = report_of(Problem(A, b), names=[f"a column with a rather long name {i}" for i in range(200)])
    assert report["slider"]["all"]
    report["plan"] = {"columns": [column | {"levels": [], "missing": False}] * 5000, "notes": []}
    text = html(report)
    assert len(text.encode()) < 1_000_000
    assert "The other 4700 are in the model file." in text


def test_names_from_a_table_cannot_become_markup():
    A, b = random_table(p=2)
    evil = "</script><script>alert(1)</script>"
    text = html(report_of(Problem(A, b), names=[evil, '"><img src=x>'], target="<b>&amp;"))
    assert text.count("<script>") == 1
    assert "<img" not in text
    assert "<b>&amp;" not in text.replace("<b>&amp;amp;", "")
    assert Reader(text).wrong == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["$\\bad{", "price_$ of $x_1$", "a\nb\x0bc", "тепло 温度", "%s {} <&>", ""])
def test_a_column_may_have_any_name(name):
    A, b = random_table(p=3)
    text = html(report_of(Problem(A, b), names=[name, "b", "c"], target=name))
    assert Reader(text).wrong == []


def test_a_damaged_report_is_refused_in_one_sentence():
    good = diabetes()
    for broken in (
        {},
        {"kind": "elltwo-report"},
        good | {"path": None},
        good | {"findings": [{"severity": "x"}]},
    ):
        with pytest.raises(DataError, match="report"):
            html(broken)


@pytest.mark.parametrize("name", ["infinity", "zero", "constant target", "interpolating", "one column", "two targets",
                                  "too wide for all columns"])  # fmt: skip
def test_odd_shapes_give_whole_pages(name):
    r = read(name)
    assert r.wrong == []
    assert len(r.all("svg")) == 6


def test_what_is_not_carried_is_said():
    report = odd_shapes()["too wide for all columns"]()
    assert not report["slider"]["all"]
    assert f"for {len(report['slider']['columns'])} of 3000 columns" in page("too wide for all columns")


def test_the_same_report_gives_the_same_bytes():
    assert html(diabetes()) == page()


def test_a_page_is_written_whole_or_not_at_all(tmp_path):
    write_html(diabetes(), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page()
    with pytest.raises(OutputError, match="folder"):
        write_html(diabetes(), tmp_path / "nowhere" / "report.html")
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_any_wing_can_make_a_page_in_the_same_look():
    text = render("A <title>", [Section("one", "First", "<p>inside</p>")], lead="The sentence.")
    assert "<h1>A &lt;title&gt;</h1>" in text
    assert "<p>inside</p>" in text
    assert "script-src 'none'" in text
