"""The network labs at their quick size: every claim they print holds, and the printing and picture work."""

import numpy as np
import pytest

pytest.importorskip("torch")

from elltwo.errors import InputError, UsageError
from elltwo.labs.__main__ import main
from elltwo.labs.catalogue import LABS, run_lab
from elltwo.labs.report import Curve, LabReport, Row
from elltwo.labs.timescale import _vertex


@pytest.mark.parametrize("name", ["rotation", "trunk_heads", "label_noise", "corrected"])
def test_every_claim_of_the_lab_holds_at_its_quick_size(name):
    report = run_lab(name, quick=True)
    assert any(row.holds is not None for row in report.rows)
    assert report.holds, str(report)
    assert max(map(len, str(report).splitlines())) <= 80
    assert report.curves
    assert report.source


def test_the_best_strength_is_the_vertex_of_the_parabola_in_log_lambda():
    grid = np.geomspace(0.5, 5, 5)
    losses = (np.log(grid) - np.log(1.7)) ** 2 + 1.0
    assert _vertex(np.log(grid), losses) == pytest.approx(1.7)
    assert grid[0] <= _vertex(np.log(grid), grid) <= grid[1]  # at the edge, no wild extrapolation
    assert _vertex(np.log(grid), -losses) in grid[[0, -1]]  # no minimum inside: the best point


def test_rows_judge_ratios_and_bare_measurements_against_their_bounds():
    assert Row("a", 1.04, 1.0, 0.95, 1.05).holds is True
    assert Row("a", 1.06, 1.0, 0.95, 1.05).holds is False
    assert Row("a", 3.0, None, 2.0, None).holds is True
    assert Row("a", 3.0, 1.0).holds is None


def report(measured):
    curve = Curve("c", np.arange(3.0), np.ones(3))
    return LabReport("demo", "A claim.", "a source", (Row("x", measured, 1.0, 0.9, 1.1),), (curve,))


def test_a_failed_claim_is_printed_as_failed_and_the_picture_is_written(tmp_path):
    assert "FAILS" in str(report(2.0))
    assert not report(2.0).holds
    report(1.0).save(tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 1000
    with pytest.raises(InputError, match="cannot write the figure"):
        report(1.0).save(tmp_path / "x.docx")


def test_labs_are_listed_and_unknown_ones_refused(capsys):
    assert main([]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in LABS)
    assert main(["alchemy"]) == 2
    assert "choose one of" in capsys.readouterr().err
    with pytest.raises(UsageError, match="unknown lab"):
        run_lab("alchemy")
