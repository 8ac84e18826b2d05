"""How good an error is, is said with the reason: on which parts it was measured, and what took part in them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_predict

from elltwo.cli.main import main
from elltwo.scale.commands import fit_moments, moments_from
from elltwo.scale.fits import telling
from elltwo.scale.fits.telling import honest_of
from elltwo.tables.folds import fold_ids
from scale_files import frame


def numbers(n=400):
    return frame(n, 3, 0.0).drop(columns=["c", "e"])


def test_too_many_columns_are_said_with_the_reason_in_python_terminal_and_page(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(telling, "MOST_NESTED", 3)
    numbers().to_parquet(tmp_path / "t.parquet")
    fit = fit_moments(tmp_path / "t.parquet", "y", rule="kfold")
    found = honest_of(fit)
    assert found.nested is None
    assert (
        "looks slightly too good: choosing it again without each part takes 30 more eigenproblems"
        in found.because
    )
    fit.write_report(tmp_path / "python.html")
    words = ["fit", str(tmp_path / "t.parquet"), "-t", "y", "--stream", "--rule", "kfold", "-q"]
    assert main([*words, "--report", str(tmp_path / "terminal.html")]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert found.because in out
    assert "slightly too good" in out.split("HOW STRONG")[0]
    for page in ("python", "terminal"):
        assert "looks slightly too good" in (tmp_path / f"{page}.html").read_text()


def test_a_strength_that_was_given_is_judged_honestly_however_many_columns(monkeypatch):
    table = numbers()
    monkeypatch.setattr(telling, "MOST_NESTED", 3)
    found = honest_of(fit_moments(table, "y", alpha=3.0))
    folds, X = fold_ids(400, 5), table.drop(columns="y").to_numpy()
    cv = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(5)]
    held = cross_val_predict(Ridge(3.0), X, table.y.to_numpy(), cv=cv)
    assert found.nested.error[0] == pytest.approx(np.mean((table.y - held) ** 2), rel=1e-10)
    assert found.because is None


def test_one_fold_measures_nothing_and_says_so(tmp_path, capsys):
    assert "one fold" in honest_of(fit_moments(moments_from(numbers(), "y", folds=1))).because
    numbers().to_csv(tmp_path / "t.csv", index=False)
    moments = str(tmp_path / "t.moments")
    assert main(["stats", str(tmp_path / "t.csv"), "-t", "y", "--folds", "1", "-o", moments, "-q"]) == 0
    assert main(["fit", moments, "-q"]) == 0
    out = capsys.readouterr().out
    assert "Not measured: the moments have one fold" in out
    assert "unknown" not in out
    assert "every training fold" not in out.replace("\n     ", " ")


def test_triangles_tell_why_their_error_is_not_nested(tmp_path):
    numbers().to_csv(tmp_path / "t.csv", index=False)
    chosen, given = (fit_moments(tmp_path / "t.csv", "y", solver="qr", alpha=a) for a in (None, 3.0))
    assert "triangles were streamed" in honest_of(chosen).because
    assert honest_of(given).because is None
