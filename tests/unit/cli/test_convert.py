"""``elltwo convert``: the number alone on stdout, what it does not carry on stderr."""

from __future__ import annotations

import json

import numpy as np
import pytest

from elltwo import convert

from .running import DATA, run


def test_the_number_is_the_librarys(capsys):
    ran = run(
        capsys,
        "convert",
        "0.1",
        "--from",
        "glmnet(standardize=FALSE)",
        "--to",
        "Ridge",
        "--n",
        "100",
        "--sd-y",
        "2",
    )
    assert (ran.code, float(ran.out)) == (0, 5.0)


def test_a_missing_fact_is_named_by_its_flag(capsys):
    ran = run(capsys, "convert", "0.1", "--from", "glmnet(standardize=FALSE)", "--n", "100")
    assert ran.code == 2
    assert "--sd-y" in ran.err
    ran = run(capsys, "convert", "0.1", "--from", "MASS", "--to", "Ridge")
    assert ran.code == 2
    assert "--data" in ran.err
    assert "--standardized" in ran.err


def test_facts_can_come_from_a_table(capsys):
    rows = np.loadtxt(DATA / "hald.csv", delimiter=",", skiprows=1)
    names = (DATA / "hald.csv").read_text().splitlines()[0].split(",")
    at = names.index("y")
    X, y = np.delete(rows, at, axis=1), rows[:, at]
    ran = run(
        capsys,
        "convert",
        "3.2",
        "--from",
        "df",
        "--to",
        "Ridge",
        "--data",
        DATA / "hald.csv",
        "--target",
        "y",
    )
    assert ran.code == 0, ran.err
    assert float(ran.out) == pytest.approx(convert(3.2, "df", "Ridge", X=X, y=y), rel=1e-12)
    ran = run(
        capsys,
        "convert",
        "2",
        "--from",
        "MASS",
        "--to",
        "per_column",
        "--data",
        DATA / "hald.csv",
        "--target",
        "y",
        "--json",
    )
    np.testing.assert_allclose(json.loads(ran.out)["value"], 2 * X.var(0))


def test_what_the_number_does_not_carry_is_said(capsys):
    ran = run(capsys, "convert", "1", "--from", "Ridge", "--to", "LIBLINEAR -s 11")
    assert float(ran.out) == 0.5
    assert "penalises the intercept" in ran.err


def test_the_list_names_every_convention(capsys):
    from elltwo.laws.conventions import CONVENTIONS

    ran = run(capsys, "convert", "--list")
    assert all(name in ran.out for name in CONVENTIONS)
    assert set(json.loads(run(capsys, "convert", "--list", "--json").out)) == set(CONVENTIONS)


def test_half_a_question_is_wrong_use(capsys):
    ran = run(capsys, "convert", "1")
    assert ran.code == 2
    assert "--from" in ran.err
