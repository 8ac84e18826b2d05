"""Nested folds from moments are refits without each fold; few rows have the groups of GroupKFold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold

from elltwo.errors import DataError
from elltwo.scale.commands import fit_moments, stats_command
from elltwo.scale.jobs.job import plan_job
from elltwo.tables.folds import row_folds
from elltwo.tables.moments.foldrule import FoldRule
from scale_files import frame

ALPHAS = np.array([0.1, 10.0, 1e4])


@pytest.mark.parametrize(("rule", "one_se"), [("kfold", False), ("kfold", True), ("gcv", False)])
def test_the_nested_error_is_that_of_fits_that_never_saw_the_fold(rule, one_se):
    table = frame(600)
    table["fold"] = np.arange(600) % 4
    options = {"fold_column": "fold", "rule": rule, "one_se": one_se, "standardize": True}
    fit = fit_moments(table, "y", **options)
    found = fit.folding.nested(rule, one_se=one_se)
    squares, alphas = 0.0, []
    for k in range(4):
        part = fit_moments(table[table.fold != k], "y", **options)
        held = table[table.fold == k]
        squares += np.sum((held.y.to_numpy() - part.predict(held)[:, 0]) ** 2)
        alphas.append(part.solution.alpha)
    np.testing.assert_allclose(found.alphas, alphas, rtol=1e-5)
    np.testing.assert_allclose(found.error, squares / 600, rtol=1e-8)
    np.testing.assert_allclose(found.baseline, np.mean(_without_each(table) ** 2), rtol=1e-10)


def _without_each(table):
    means = np.array([table.y[table.fold != k].mean() for k in range(4)])
    return table.y.to_numpy() - means[table.fold]


def test_few_rows_have_balanced_groups_unless_more_data_will_be_merged(tmp_path):
    table = frame(500)
    table["site"] = np.random.default_rng(0).choice(list("abcdefghijklmnop"), 500)
    table.loc[::9, "y"] = np.nan
    table.to_parquet(tmp_path / "t.parquet", row_group_size=90)
    kept = table[table.y.notna()]
    sizes = [len(held) for _, held in GroupKFold(5).split(kept, groups=kept.site)]
    fit = fit_moments(tmp_path / "t.parquet", "y", group="site", drop=["e"])
    assert sorted(fold.count for fold in fit.folds) == sorted(sizes)
    assert "whole groups of column 'site'" in fit.notes[0]
    again = FoldRule.from_dict(fit.rule.to_dict())
    assert again == fit.rule
    with pytest.raises(DataError, match="a group that was not counted"):
        again.by_group(np.array([1], dtype=np.uint64))
    shared = stats_command(tmp_path / "t.parquet", tmp_path / "a.moments", target="y", group="site")
    assert "by hash of column 'site'" in shared.rule.sentence
    assert plan_job(tmp_path / "t.parquet", "y", group="site", mergeable=True).rule == shared.rule


@pytest.mark.parametrize("ordered", [False, True])
def test_folds_depend_on_the_row_number_alone_however_text_is_cut_into_files(tmp_path, ordered):
    rows = 105_000
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.standard_normal(rows).round(3)})
    table["y"] = (table.x + rng.standard_normal(rows)).round(3)
    table["t"] = np.where(rng.random(rows) < 0.01, "line\nbreak", "plain")
    table.to_csv(tmp_path / "one.csv", index=False)
    table.to_parquet(tmp_path / "one.parquet", row_group_size=30_000)
    (tmp_path / "cut").mkdir()
    for i, (a, b) in enumerate([(0, 40_001), (40_001, 99_000), (99_000, rows)]):
        table[a:b].to_csv(tmp_path / "cut" / f"{i}.csv", index=False)
    found = [
        fit_moments(tmp_path / name, "y", alphas=ALPHAS, contiguous=ordered, threads=threads)
        for name, threads in (("one.csv", 1), ("one.parquet", 2), ("cut", 2))
    ]
    for other in found[1:]:
        assert other.rule.kind == ("contiguous" if ordered else "hash")
        first, score = (f.selection.curves["kfold"].score for f in (found[0], other))
        np.testing.assert_allclose(score, first, rtol=1e-12)
    job = plan_job(tmp_path / "cut", "y", contiguous=ordered)
    starts = [part.first_row for leaf in job.leaves for part in leaf.parts]
    assert starts == [0, 40_001, 99_000]
    if not ordered:
        assert (found[0].folding.m.rows == np.bincount(row_folds(0, rows, 5, 0))).all()
