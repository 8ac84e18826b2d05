"""The design of new data under a training plan, against scikit-learn's encoders and by its own identities."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.preprocessing import OneHotEncoder

from elltwo.errors import BadValue, DataError
from elltwo.facts.plan import TablePlan
from elltwo.tables.encode import design, predict_batches
from elltwo.tables.plan import plan_columns
from elltwo.tables.read import read_planned, read_table


def table(n=50, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "x": rng.standard_normal(n),
            "city": rng.choice(["Rome", "Oslo", "Bern"], n),
            "z": rng.standard_normal(n),
            "y": rng.standard_normal(n),
        }
    )
    frame.loc[::6, "x"] = np.nan
    return frame


def test_the_design_is_that_of_scikit_learns_encoders():
    frame, new = table(80), table(30, seed=1)
    new.loc[3, "city"] = "Paris"
    encoder = make_column_transformer(
        (SimpleImputer(add_indicator=True), ["x"]),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["city"]),
        (SimpleImputer(), ["z"]),
    )
    plan = plan_columns(frame, "y")
    np.testing.assert_allclose(design(frame, plan).X, encoder.fit_transform(frame), rtol=1e-14)
    np.testing.assert_allclose(design(new, plan, fit=False).X, encoder.transform(new), rtol=1e-14)


def test_columns_may_come_in_any_order_with_others_beside_them_and_without_a_target():
    frame = table()
    plan = plan_columns(frame, "y")
    new = frame[["z", "city", "x"]].assign(extra="text")
    found = design(new, plan, fit=False)
    np.testing.assert_array_equal(found.X, design(frame, plan, fit=False).X)
    assert found.y is None
    assert found.notes == ()


def test_a_missing_column_is_refused_with_a_near_name():
    frame = table()
    plan = plan_columns(frame, "y")
    with pytest.raises(DataError, match=r"no column 'city', which the plan uses: did you mean 'City'\?"):
        design(frame.rename(columns={"city": "City"}), plan, fit=False)


def test_an_unseen_level_is_zero_in_every_column_and_a_note_says_so():
    frame = table()
    plan = plan_columns(frame, "y")
    new = frame.copy()
    new.loc[[1, 4], "city"] = ["Paris", "Lima"]
    found = design(new, plan, fit=False)
    columns = [i for i, s in enumerate(found.sources) if s == "city"]
    assert found.X[np.ix_([1, 4], columns)].sum() == 0
    assert found.notes == (
        "column 'city' has levels that training did not have ('Paris', 'Lima'; 2 rows): no level is set there",
    )


def test_an_unseen_level_counts_as_other_when_training_had_others():
    frame = table()
    frame["code"] = ["a", "a", "a", "b", "b", "c", "c", "d", "e", "f"] * 5
    plan = plan_columns(frame, "y", max_levels=2)
    new = frame.head(2).assign(code=["a", "new"])
    found = design(new, plan, fit=False)
    at = [found.names.index(f"code={v}") for v in ("a", "b", "(other)")]
    assert found.X[:, at].tolist() == [[1, 0, 0], [0, 0, 1]]
    assert "they count as (other)" in found.notes[0]


def test_an_unseen_level_of_two_counts_as_the_reference_and_a_note_says_so():
    frame = table().assign(side=["left", "right"] * 25)
    found = design(frame.assign(side="up"), plan_columns(frame, "y"), fit=False)
    assert found.X[:, found.names.index("side=right")].sum() == 0
    assert found.notes[0].endswith("('up'; 50 rows): they count as 'left'")


def test_columns_to_keep_are_read_beside_those_of_the_plan_and_others_are_not(tmp_path):
    plan = plan_columns(table(), "y")
    new = table().assign(
        id=[f"n{i}" for i in range(50)], n=range(50), spoiled=[*"1234567890"] * 4 + ["?"] * 10
    )
    new.to_csv(tmp_path / "new.csv", index=False)
    read = read_planned(tmp_path / "new.csv", plan, extra=["id", "n"])
    assert read.names == ("x", "city", "z", "id", "n")
    assert read.arrow.column("n").to_pylist() == list(range(50))
    np.testing.assert_array_equal(design(read, plan, fit=False).X, design(table(), plan, fit=False).X)
    with pytest.raises(DataError, match=r"has no column 'idx' \(--keep\): did you mean 'id'"):
        read_planned(tmp_path / "new.csv", plan, extra=["idx"])


def test_values_missing_only_in_new_data_become_the_mean_and_a_note_says_so():
    frame = table()
    plan = plan_columns(frame, "y")
    new = frame.copy()
    new.loc[2, "z"] = np.nan
    new.loc[3, "city"] = None
    found = design(new, plan, fit=False)
    assert found.X[2, found.names.index("z")] == plan.column("z").impute[0]
    assert any("column 'z' misses 1 value and missed none in training" in n for n in found.notes)
    assert any("column 'city' misses 1 value" in n for n in found.notes)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_wrong_type_names_file_row_column_and_value(tmp_path, ending):
    plan = plan_columns(table(), "y")
    new = table().astype({"z": object})
    new.loc[6, "z"] = "oops"
    if ending == "parquet":
        new["z"] = new["z"].astype(str)
    getattr(new, f"to_{ending}")(tmp_path / f"new.{ending}", index=False)
    with pytest.raises(
        BadValue, match=rf"new\.{ending}, .*column 'z' has 'oops', and the column holds numbers"
    ) as e:
        design(tmp_path / f"new.{ending}", plan, fit=False)
    assert (e.value.row, e.value.column, e.value.value) == (7, "z", "oops")
    assert e.value.line == (8 if ending == "csv" else None)
    assert str(e.value).endswith(
        "the model was fitted to other values: mend this one, or leave it empty if it is missing"
    )
    with pytest.raises(BadValue, match="the model was fitted to other values"):
        list(predict_batches(tmp_path / f"new.{ending}", plan))


def test_a_date_where_training_had_numbers_is_refused():
    plan = plan_columns(table(), "y")
    with pytest.raises(BadValue, match=r"row 1: column 'z' has '2020-01-01.*and the column holds numbers"):
        design(table().assign(z=pd.Timestamp("2020-01-01")), plan, fit=False)


def test_rows_without_a_target_are_left_out_of_training_and_kept_for_prediction():
    frame = table()
    frame.loc[[0, 7, 8], "y"] = np.nan
    plan = plan_columns(frame, "y")
    found = design(frame, plan)
    assert found.rows_dropped == 3
    assert found.X.shape[0] == len(found.y) == 47
    assert not {0, 7, 8} & set(found.rows)
    assert found.notes == ("3 of 50 rows have no value of 'y' and are left out",)
    assert design(frame, plan, fit=False).X.shape[0] == 50


def test_weights_groups_and_folds_travel_beside_the_design():
    frame = table().assign(w=np.arange(50.0), g=["a", "b", "c", "d", "e"] * 10, f=[3, 1, 10, 1, 3] * 10)
    frame.loc[5, "y"] = np.nan
    found = design(frame, plan_columns(frame, "y", weights="w", group="g", fold_column="f"))
    keep = np.delete(np.arange(50), 5)
    assert found.names == ("x", "x missing", "city=Bern", "city=Oslo", "city=Rome", "z")
    np.testing.assert_array_equal(found.weights, keep)
    np.testing.assert_array_equal(found.folds, np.array([1, 0, 2, 0, 1] * 10)[keep])
    assert len(np.unique(found.groups)) == 5
    np.testing.assert_array_equal(found.fold_ids(99), found.folds)


def test_folds_number_the_rows_of_the_table_not_those_that_are_left():
    frame = table()
    frame.loc[[0, 9], "y"] = np.nan
    found = design(frame, plan_columns(frame, "y"))
    whole = np.empty(50, dtype=int)
    for k, (_, test) in enumerate(KFold(4, shuffle=True, random_state=7).split(frame)):
        whole[test] = k
    np.testing.assert_array_equal(found.fold_ids(4, seed=7), whole[found.rows])


def test_prediction_in_batches_is_prediction_of_the_whole(tmp_path):
    frame = table(500)
    plan = TablePlan.from_json(plan_columns(frame, "y").to_json())
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=90)
    frame.to_csv(tmp_path / "a.csv", index=False)
    for source in (frame, tmp_path / "a.parquet", tmp_path / "a.csv"):
        blocks = list(predict_batches(source, plan, batch_rows=64))
        assert max(map(len, blocks)) <= 64
        np.testing.assert_array_equal(np.concatenate(blocks), design(frame, plan, fit=False).X)


def test_on_error_retype_gives_a_design():
    pytest.importorskip("pandas")
    frame = table().astype({"z": object})
    frame.loc[5, "z"] = "oops"
    import io

    class Stdin:
        buffer = io.BytesIO(frame.to_csv(index=False).encode())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", Stdin)
        read = read_table("-", on_error="retype")
    plan = plan_columns(read, "y", categorical="z")
    assert "column 'z' is read as text, because of 'oops'" in plan.notes
    assert design(read, plan).X.shape[0] == 50


VALUE = st.one_of(st.none(), st.floats(-1e300, 1e300, allow_nan=False))
LEVEL = st.one_of(st.none(), st.sampled_from(["a", "b", "c", "NA"]), st.text("xyz", min_size=1, max_size=2))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(VALUE, LEVEL), min_size=3, max_size=25), order=st.randoms())
def test_a_row_has_the_same_design_wherever_it_stands(rows, order):
    frame = pd.DataFrame(
        {
            "x": np.array([r[0] for r in rows], dtype=float),
            "c": pd.Series([r[1] for r in rows], dtype=object),
            "y": np.arange(len(rows), dtype=float),
            "z": np.arange(len(rows), dtype=float) ** 2,
        }
    )
    plan = plan_columns(frame, "y", categorical="c")
    X = design(frame, plan).X
    assert np.isfinite(X).all()
    mixed = list(range(len(rows)))
    order.shuffle(mixed)
    np.testing.assert_array_equal(design(frame.iloc[mixed], plan).X, X[mixed])
    for i in range(len(rows)):
        np.testing.assert_array_equal(design(frame.iloc[[i]], plan, fit=False).X[0], X[i])
