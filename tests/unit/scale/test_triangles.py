"""Triangles give what the Gram gives where it can, and the digits that it cannot."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from elltwo.errors import UsageError
from elltwo.scale.commands import fit_moments, moments_from
from elltwo.tables.moments.transform import assemble
from elltwo.tables.moments.triangles import Triangles, merge_triangles, stored_rows
from scale_files import frame
from scale_problems import codes_of, gathered, mixed_table

ALPHAS = np.geomspace(1e-2, 1e4, 7)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 400), st.booleans())
def test_a_triangle_squared_is_the_gram_of_the_moments(cut, weighted):
    table = mixed_table(weighted=weighted)
    m = gathered(table)
    parts = []
    for rows in (slice(0, cut), slice(cut, 400)):
        coded = [codes_of(c[rows], 1) for c in table.categories]
        w = None if table.weights is None else table.weights[rows]
        u = stored_rows(m, table.numbers[rows], [c for c, _ in coded], [names for _, names in coded], w)
        parts.append(Triangles.empty(m.folds, m.starts[-1]).with_rows(u, table.folds[rows]))
    R = merge_triangles(parts).R
    for k in range(m.folds):
        np.testing.assert_allclose(R[k].T @ R[k], assemble(m, [k]), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("standardize", [False, True])
def test_both_solvers_agree_on_a_mixed_table(tmp_path, standardize):
    frame(900).to_parquet(tmp_path / "t.parquet", row_group_size=200)
    options = {"alphas": ALPHAS, "standardize": standardize}
    gram = fit_moments(tmp_path / "t.parquet", "y", **options)
    qr = fit_moments(tmp_path / "t.parquet", "y", solver="qr", **options)
    np.testing.assert_allclose(
        qr.selection.curves["kfold"].score, gram.selection.curves["kfold"].score, rtol=1e-11
    )
    np.testing.assert_allclose(qr.coef, gram.coef, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(qr.intercept, gram.intercept, rtol=1e-9)
    for name in ("rss", "df", "sigma2"):
        np.testing.assert_allclose(getattr(qr.solution, name), getattr(gram.solution, name), rtol=1e-9)
    assert qr.spectrum.origin.method == "triangles"
    assert "condition number" in qr.spectrum.origin.reason


def test_triangles_keep_the_digits_that_a_gram_loses(tmp_path):
    # Columns whose condition number is 1e7: the Gram has 1e14 and about two digits, the triangle nine.
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((500, 4)))[0]
    Q -= Q.mean(axis=0)
    X = Q @ np.diag([1.0, 1e-2, 1e-5, 1e-7]) @ np.linalg.qr(rng.standard_normal((4, 4)))[0]
    beta = np.array([1.0, -2.0, 3.0, -4.0])
    table = pd.DataFrame(X, columns=list("abcd"))
    table["y"] = X @ beta
    table.to_parquet(tmp_path / "t.parquet", row_group_size=100)
    gram = fit_moments(tmp_path / "t.parquet", "y", alpha=0.0)
    qr = fit_moments(tmp_path / "t.parquet", "y", alpha=0.0, solver="qr")
    errors = [np.linalg.norm(f.coef[:, 0] - beta) / np.linalg.norm(beta) for f in (gram, qr)]
    assert errors[1] < 1e-7
    assert errors[1] < 1e-3 * errors[0]
    assert any("--solver qr" in note for note in gram.notes)
    assert not any("--solver qr" in note for note in qr.notes)


def test_moments_alone_cannot_be_turned_into_triangles():
    with pytest.raises(UsageError, match="moments keep none: give the files"):
        fit_moments(moments_from(frame(200), "y"), "y", solver="qr")
    with pytest.raises(UsageError, match="unknown solver 'lu'"):
        fit_moments(frame(200), "y", solver="lu")
