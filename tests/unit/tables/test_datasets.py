"""The bundled tables are the published ones."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from elltwo.errors import UsageError
from elltwo.tables.datasets import FOLDER, bundled, dataset
from elltwo.tables.encode import design
from elltwo.tables.plan import plan_columns


def numbers(name):
    table = dataset(name).read().arrow
    return {c: table.column(c).to_numpy() for c in table.column_names}


@pytest.mark.parametrize("item", bundled(), ids=lambda item: item.name)
def test_every_table_is_read_planned_and_encoded_and_has_its_terms_written_down(item):
    table = item.read()
    found = design(table, plan_columns(table, item.target))
    assert found.X.shape[0] > 10
    assert np.isfinite(found.X).all()
    assert f"{item.name}.csv" in (FOLDER / "LICENSES.txt").read_text() or item.name.startswith("wampler")


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match=r"unknown data set 'iris': choose one of 'longley', 'diabetes'"):
        dataset("iris")


@pytest.mark.parametrize(
    ("name", "degree", "certified"),
    [
        ("filip", 10, "0.795851382172941E-03"),
        ("wampler1", 5, "0"),
        ("wampler2", 5, "0"),
        ("wampler3", 5, "83554268.0000000"),
        ("wampler4", 5, "835542680000.000"),
        ("wampler5", 5, "8355426800000000"),
    ],
)
def test_residual_sums_of_squares_are_those_that_nist_certifies(name, degree, certified):
    """NIST StRD, linear least squares: every number of the table enters this one."""
    data = numbers(name)
    with mp.workdps(60):
        A = mp.matrix([[mp.mpf(repr(float(v))) ** j for j in range(degree + 1)] for v in data["x"]])
        b = mp.matrix([mp.mpf(repr(float(v))) for v in data["y"]])
        r = A * mp.lu_solve(A.T * A, A.T * b) - b
        assert mp.fabs((r.T * r)[0] - mp.mpf(certified)) <= mp.mpf("1e-14") * mp.mpf(certified) + mp.mpf(
            "1e-60"
        )


def test_longley_is_the_copy_that_statsmodels_ships():
    longley = pytest.importorskip("statsmodels.datasets").longley
    theirs = longley.load_pandas().data
    for name, values in numbers("longley").items():
        np.testing.assert_array_equal(values, theirs[name.upper()])


def test_diabetes_is_the_unscaled_table_of_scikit_learn():
    theirs = load_diabetes(as_frame=True, scaled=False).frame
    for name, values in numbers("diabetes").items():
        np.testing.assert_array_equal(values, theirs[name])


def test_hald_is_the_table_whose_least_squares_fit_is_published():
    """Draper and Smith (1966), Table 15.1 and appendix B: b = (62.4054, 1.5511, 0.5102, 0.1019, -0.1441)."""
    data = numbers("hald")
    A = np.column_stack([np.ones(13), *(data[f"x{i}"] for i in range(1, 5))])
    found = np.linalg.lstsq(A, data["y"], rcond=None)[0]
    np.testing.assert_allclose(found, [62.4054, 1.5511, 0.5102, 0.1019, -0.1441], atol=5e-5)
