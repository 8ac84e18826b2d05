"""Pages of banded and of large fits: plain data, whole pages, and what they beware of."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy import sparse

from elltwo import BandedRidgeCV, SparseRidgeCV
from elltwo.diagnosing.groupfits import look_at_groups, look_at_large
from elltwo.errors import InputError, OutputError
from elltwo.facts.groupfit import GroupFit, LargeFit
from elltwo.facts.selection import Curve, Selection
from elltwo.reporting.banded import banded_html, collect_banded
from elltwo.reporting.large import collect_large, large_html

rng = np.random.default_rng(0)
X = rng.normal(size=(90, 12))
y = X[:, :4] @ rng.normal(size=4) + rng.normal(size=90)
Y = np.column_stack([y, X[:, 5] + rng.normal(size=90)])
A = sparse.random_array((300, 80), density=0.1, rng=rng, format="csr")
b = A @ rng.normal(size=80) + 0.3 * rng.normal(size=300)


class Tags(HTMLParser):
    """Ids, and whether every element that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.open, self.sources = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        d = dict(attrs)
        self.ids += [d["id"]] if "id" in d else []
        self.sources += [d[k] for k in ("src", "href") if k in d]
        if tag not in ("meta", "link", "br", "img", "input", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.ids += [dict(attrs)["id"]] if "id" in dict(attrs) else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def assert_whole(text):
    tags = Tags(text)
    assert not tags.open
    assert len(set(tags.ids)) == len(tags.ids)
    assert not [s for s in tags.sources if not s.startswith(("#", "data:"))]
    assert "&lt;div" not in text


def banded(**options):
    return BandedRidgeCV(np.repeat(["a", "<b>", "c"], 4), **options).fit(X, Y)


@pytest.mark.parametrize(
    "make",
    [
        lambda: BandedRidgeCV(np.repeat(["a", "<b>", "c"], 4)).fit(X, y),
        lambda: banded(per_target=True),
        lambda: banded(rule="loo"),
        lambda: BandedRidgeCV(np.repeat([0, 1], 6), kernel="rbf").fit(X, y),
        lambda: BandedRidgeCV(kernel="precomputed").fit(np.stack([X @ X.T, np.eye(90)]), y),
        lambda: BandedRidgeCV([0] * 12).fit(X, np.ones(90)),
        lambda: BandedRidgeCV().fit(sparse.csr_array(X), y),
    ],
    ids=[
        "one target",
        "per target",
        "loo",
        "kernels",
        "precomputed",
        "constant target",
        "a group per column",
    ],
)
def test_every_banded_fit_has_a_whole_page_of_plain_data(make, tmp_path):
    model = make()
    model.write_report(tmp_path / "page.html")
    assert_whole((tmp_path / "page.html").read_text(encoding="utf-8"))
    report = collect_banded(model._facts(None, None))
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert len(report["groups"]) == len(model.groups_)


def test_the_banded_page_shows_the_numbers_of_the_fit_in_the_order_of_their_worth():
    model = BandedRidgeCV(np.repeat(["none", "most", "little"], 4)).fit(
        X[:, [*range(4, 8), *range(4), *range(8, 12)]][:60], y[:60]
    )
    shuffled = X[:, [*range(4, 8), *range(4), *range(8, 12)]]
    report = collect_banded(model._facts(shuffled[60:], y[60:]))
    held = model.score_split(shuffled[60:], y[60:])
    assert report["groups"][0]["name"] == "most"
    for group in report["groups"]:
        g = model.group_names_.index(group["name"])
        assert group["alphas"] == [model.alphas_[g]]
        assert group["split"] == pytest.approx(model.split_[g])
        assert group["held"] == pytest.approx(held[g])
        assert group["df"] == pytest.approx(model.group_df_[g])
    assert report["trace"][-1] == pytest.approx(model.best_score_)
    assert "held out" in banded_html(report)


@pytest.mark.parametrize(
    "model",
    [
        SparseRidgeCV(),
        SparseRidgeCV(rule="kfold", alphas=[0.1, 1.0, 10.0]),
        SparseRidgeCV(alphas=[1.0], probes=1),
        SparseRidgeCV(alpha_per_target=True),
    ],
    ids=["gcv", "kfold", "one strength, one probe", "per target"],
)
@pytest.mark.parametrize("several", [False, True])
def test_every_large_fit_has_a_whole_page_of_plain_data(model, several, tmp_path):
    model.fit(A, np.column_stack([b, -b[::-1]]) if several else b)
    model.write_report(tmp_path / "page.html")
    assert_whole((tmp_path / "page.html").read_text(encoding="utf-8"))
    report = collect_large(model._kept)
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert sum(report["steps"]) == model.n_iter_
    assert max(report["residual"]) == pytest.approx(model.residual_)
    assert report["path"][0]["values"][0] != 0


def test_the_probes_error_is_their_spread_and_shrinks_with_their_number():
    many = SparseRidgeCV(probes=64, n_alphas=4).fit(A, b)
    few = [SparseRidgeCV(probes=4, n_alphas=4, random_state=k).fit(A, b)._kept.df_error for k in range(12)]
    s = np.linalg.svd((A - A.mean(axis=0)[None]), compute_uv=False)
    alphas = many.selection_.curves["gcv"].alphas
    df = 1 + np.array([np.sum(s**2 / (s**2 + a)) for a in alphas])
    kept = many._kept
    assert np.all(np.abs(kept.df - df) < 4 * kept.df_error + 1e-6)
    np.testing.assert_allclose(kept.df_error, 0.25 * np.sqrt(np.mean(np.square(few), axis=0)), rtol=0.35)
    curve = many.selection_.curves["gcv"]
    left = 300 - kept.df
    np.testing.assert_allclose(curve.error[:, 0], 2 * curve.score[:, 0] * kept.df_error / left)


def group_fit(**changes):
    facts = {
        "names": ("a", "b"), "sizes": np.array([10, 10]), "alphas": np.ones((2, 1)), "df": np.full((2, 1), 5.0),
        "split": np.full((2, 1), 0.4), "held": None, "rule": "evidence", "trace": np.array([2.0, 1.0]),
        "evaluations": 9, "at_end": np.zeros(2, dtype=bool), "converged": True, "rows": 50,
    }  # fmt: skip
    return GroupFit(**{**facts, **changes})


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (None, {}),
        ("search-unfinished", {"converged": False}),
        ("strength-at-end", {"at_end": np.array([True, False])}),
        ("group-unused", {"df": np.array([[5.0], [0.05]])}),
        ("nearly-interpolates", {"df": np.full((2, 1), 24.0)}),
        ("share-lost", {"held": np.array([[0.4], [0.1]])}),
    ],
)
def test_a_banded_fit_says_what_to_beware_of(code, changes):
    found = [f.code for f in look_at_groups(group_fit(**changes))]
    assert found == ([] if code is None else [code])


def large_fit(edge="", score=(3.0, 1.0, 2.0), error=None, **changes):
    alphas = np.array([0.01, 1.0, 100.0])
    spread = None if error is None else np.array(error)[:, None]
    curve = Curve("gcv", alphas, np.array(score)[:, None], spread, "score")
    chosen = Selection("gcv", np.ones(1), np.ones(1), {"gcv": curve}, {"gcv": np.ones(1)}, edge, "λ = 1.")
    facts = {
        "shape": (1000, 500), "stored": 5000, "selection": chosen, "df": np.array([300.0, 200.0, 50.0]),
        "df_error": np.full(3, 2.0), "steps": np.array([9, 5, 2]), "residual": np.full(3, 1e-7), "tol": 1e-6,
        "probes": 4, "columns": np.array([1]), "path": np.ones((3, 1)),
    }  # fmt: skip
    return LargeFit(**{**facts, **changes})


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        (None, {}),
        ("edge-of-grid", {"edge": "low"}),
        ("residual-not-reached", {"residual": np.array([1e-7, 1e-3, 1e-7])}),
        ("probes-too-few", {"df_error": np.full(3, 90.0)}),
        ("flat-choice", {"score": (1.1, 1.0, 1.05), "error": (0.2, 0.2, 0.2)}),
    ],
)
def test_a_large_fit_says_what_to_beware_of(code, changes):
    found = [f.code for f in look_at_large(large_fit(**changes))]
    assert found == ([] if code is None else [code])


def test_a_large_page_names_columns_of_a_frame():
    pandas = pytest.importorskip("pandas")
    model = SparseRidgeCV(n_alphas=3).fit(pandas.DataFrame(X, columns=[f"x & {i}" for i in range(12)]), y)
    text = large_html(collect_large(model._kept, names=model.feature_names_in_))
    assert "x &amp; 0" in text


def test_pages_that_cannot_be_written_or_lack_a_half_are_refused(tmp_path):
    model = BandedRidgeCV([0] * 12).fit(X, y)
    with pytest.raises(InputError, match="both X and y"):
        model.write_report(tmp_path / "page.html", X)
    with pytest.raises(OutputError):
        model.write_report(tmp_path / "absent" / "page.html")
    assert not list(tmp_path.iterdir())
