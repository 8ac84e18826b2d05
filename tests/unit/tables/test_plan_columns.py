"""What every kind of column becomes, and what is refused with a flag that settles it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from elltwo.errors import BadValue, DataError, UsageError
from elltwo.facts.plan import ColumnPlan, TablePlan
from elltwo.tables.encode import design
from elltwo.tables.plan import plan_columns
from elltwo.tables.read import read_table

RNG = np.random.default_rng(1)
N = 40


def frame(**columns):
    return pd.DataFrame({"y": RNG.standard_normal(N), "x": RNG.standard_normal(N), **columns})


def kind_of(values, **options):
    return plan_columns(frame(c=values), "y", **options).column("c")


def cycled(*values):
    return [values[i % len(values)] for i in range(N)]


@pytest.mark.parametrize(
    ("values", "kind", "features"),
    [
        (cycled(1, 2, 3), "number", ("c",)),
        (cycled(0, 1), "number", ("c",)),
        (cycled(1.5, None), "number", ("c", "c missing")),
        (cycled("1.5", "2", "3e-4"), "number", ("c",)),
        (cycled(True, False), "boolean", ("c",)),
        (cycled("True", "FALSE", "false"), "boolean", ("c",)),
        (cycled("a", "b", "c"), "category", ("c=a", "c=b", "c=c")),
        (cycled("no", "yes"), "category", ("c=yes",)),
        (cycled("no", "yes", None), "category", ("c=yes", "c missing")),
        (cycled("10", "9", "x"), "category", ("c=10", "c=9", "c=x")),
        (cycled("only", None), "category", ("c missing",)),
        (cycled(7), "dropped", ()),
        (cycled("same"), "dropped", ()),
        (cycled(None), "dropped", ()),
        (cycled("NA", "null"), "dropped", ()),
        ([f"name {i}" for i in range(N)], "dropped", ()),
    ],
)
def test_a_column_becomes_what_its_values_say(values, kind, features):
    column = kind_of(values)
    assert (column.kind, column.features) == (kind, features)
    assert column.reason


def test_reasons_and_notes_can_be_read_by_a_person():
    plan = plan_columns(
        frame(
            same=cycled(3),
            empty=cycled(None),
            who=[f"p{i}" for i in range(N)],
            row=range(N),
            out=cycled(1, 2),
        ),
        "y",
        drop="out",
    )
    assert {c.name: c.reason for c in plan.dropped} == {
        "same": "constant: every value is 3",
        "empty": "every value is missing",
        "who": "every value is different",
        "row": "it numbers the rows",
        "out": "left out as asked",
    }
    assert "column 'who' is left out: every value is different; `--categorical who` keeps it" in plan.notes


def test_a_column_that_counts_rows_under_another_name_is_kept_and_pointed_out():
    plan = plan_columns(frame(week=range(1, N + 1)), "y")
    assert plan.column("week").kind == "number"
    assert (
        "column 'week' numbers the rows: leave it out with `--drop week` unless order matters" in plan.notes
    )


def test_numbers_declared_categorical_are_levels_in_numeric_order():
    column = kind_of(cycled(10, 9, 100), categorical=["c"])
    assert column.levels == ("9", "10", "100")
    assert kind_of(cycled(1.0, 2.5, 3.0), categorical="c").levels == ("1", "2.5", "3")


def test_more_levels_than_the_cap_share_one_column_by_frequency():
    values = ["a"] * 15 + ["b"] * 12 + ["c"] * 5 + ["d"] * 4 + ["e"] * 4
    table = frame(c=values)
    plan = plan_columns(table, "y", max_levels=3)
    assert plan.column("c").features == ("c=a", "c=b", "c=c", "c=(other)")
    assert "column 'c': 3 levels have their own column and 2 rarer ones share one (other)" in plan.notes
    found = design(table, plan)
    assert found.X[:, found.names.index("c=(other)")].sum() == 8


def test_dates_are_refused_until_their_use_is_declared():
    days = [dt.date(2020, 1, 1) + dt.timedelta(days=int(d)) for d in RNG.integers(0, 700, N)]
    for values in (days, pd.to_datetime(days), [str(d) for d in days], [f"{d:%d/%m/%Y}" for d in days]):
        with pytest.raises(
            DataError, match=r"column 'c' .* holds dates .*`--date c=ordinal`.*`--date c=parts`.*`--drop c`"
        ):
            kind_of(values)
    assert kind_of(days, drop="c").kind == "dropped"


@pytest.mark.parametrize(
    "make", [lambda t: t, lambda t: t.strftime("%Y-%m-%dT%H:%M:%S"), lambda t: t.tz_localize("UTC")]
)
def test_declared_dates_become_numbers_that_calendar_arithmetic_confirms(make):
    stamps = pd.to_datetime(RNG.integers(-(10**9), 2 * 10**9, N), unit="s")
    table = frame(c=make(stamps))
    ordinal = design(table, plan_columns(table, "y", dates={"c": "ordinal"}))
    epoch = dt.datetime(1970, 1, 1)
    np.testing.assert_allclose(
        ordinal.X[:, ordinal.names.index("c days")],
        [(t - epoch) / dt.timedelta(days=1) for t in stamps],
        rtol=1e-14,
    )
    found = design(table, plan_columns(table, "y", dates={"c": "parts"}))
    for name, expected in {
        "year": stamps.year, "month": stamps.month, "day": stamps.day, "weekday": stamps.day_of_week,
        "hour": stamps.hour + stamps.minute / 60 + stamps.second / 3600,
    }.items():  # fmt: skip
        np.testing.assert_allclose(
            found.X[:, found.names.index(f"c {name}")], expected, rtol=1e-13, atol=1e-12
        )


def test_date_parts_that_never_change_are_left_out_and_missing_dates_flagged():
    table = frame(c=pd.to_datetime(cycled("2020-03-05", "2020-04-06", None)))
    plan = plan_columns(table, "y", dates={"c": "parts"})
    assert plan.column("c").features == ("c month", "c day", "c weekday", "c missing")
    X = design(table, plan).X[:, 1:]
    assert X[2].tolist() == [*plan.column("c").impute, 1.0]


def test_a_date_in_another_order_is_refused_even_when_declared():
    with pytest.raises(DataError, match=r"declared a date and holds '31/12/2020': write dates as YYYY-MM-DD"):
        kind_of(cycled("31/12/2020", "01/02/2020"), dates={"c": "ordinal"})
    with pytest.raises(
        BadValue, match=r"row 7: column 'c' has 'soon', and the column holds dates written YYYY-MM-DD"
    ):
        kind_of([f"2020-01-{i + 1:02}" if i != 6 else "soon" for i in range(28)] + cycled("2021-01-01")[:12],
                dates={"c": "ordinal"})  # fmt: skip


def test_numbers_with_signs_around_them_are_refused():
    for values in (cycled("$1,200", "$950", "$3"), cycled("12%", "5%"), cycled("1,000", "2,345,678")):
        with pytest.raises(DataError, match=r"holds numbers with signs around them .*write plain numbers"):
            kind_of(values)


def test_lists_are_refused():
    with pytest.raises(
        DataError, match=r"column 'c' .* neither numbers nor text: turn it into plain columns"
    ):
        kind_of([[1, 2]] * N)


def test_mixed_values_stop_with_row_and_flags():
    values = [str(i * 1.5) for i in range(N)]
    values[17] = "n/k"
    with pytest.raises(BadValue, match=r"row 18: column 'c' has 'n/k', .*`--na 'n/k'`.*`--categorical c`"):
        kind_of(values)
    assert kind_of(values, na=["n/k"]).kind == "number"
    assert kind_of(values, categorical=["c"]).kind == "category"


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinities_are_refused_with_their_place_and_count(bad):
    values = RNG.standard_normal(N)
    values[[3, 9]] = bad
    with pytest.raises(
        BadValue, match=r"row 4: column 'c' has '-?inf', and only finite numbers can be used \(2 such values"
    ) as e:
        kind_of(values)
    assert "`--drop c`" in str(e.value)
    assert kind_of(values, na="inf" if bad > 0 else "-inf").missing


def test_infinities_in_the_target_are_refused():
    table = frame()
    table.loc[5, "y"] = np.inf
    with pytest.raises(BadValue, match=r"row 6: column 'y' has 'inf'"):
        plan_columns(table, "y")


def test_values_near_the_largest_float_are_planned():
    values = np.where(np.arange(N) % 3 == 0, np.nan, 1.7e308 * np.sign(RNG.standard_normal(N)))
    column = kind_of(values)
    assert column.missing
    assert np.isfinite(column.impute[0])
    np.testing.assert_allclose(column.impute[0], 1.7e308 * np.nanmean(values / 1.7e308), rtol=1e-12)


# The target


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            cycled("a", "b"),
            r"the target 't' holds text \('a'\), and regression predicts numbers: .* 2 classes",
        ),
        (cycled(None), r"every value of the target 't' is missing"),
        (cycled("NA", ""), r"every value of the target 't' is missing"),
        (cycled(3.5), r"the target 't' is 3.5 in every row of the data frame: there is nothing to predict"),
        ([1.0] + [None] * (N - 1), r"has 1 row with a value of 't': a fit needs at least two"),
        (cycled(dt.date(2020, 1, 1)), r"the target 't' holds date: predict a column of numbers"),
    ],
)
def test_a_target_that_cannot_be_predicted_is_refused(values, sentence):
    with pytest.raises(DataError, match=sentence):
        plan_columns(frame(t=values), "t")


def test_a_target_that_is_not_there_is_refused_with_a_near_name():
    with pytest.raises(
        DataError, match=r"the data frame has no column 'price' \(target\): did you mean 'prices'\?"
    ):
        plan_columns(frame(prices=cycled(1, 2)), "price")
    with pytest.raises(DataError, match=r"no column 'zzz' \(target\): its columns are 'y', 'x'"):
        plan_columns(frame(), "zzz")


def test_text_targets_are_class_labels_when_asked():
    table = frame(t=cycled("yes", "no", "maybe"))
    found = design(table, plan_columns(table, "t", task="classify"))
    assert found.y.tolist() == cycled("yes", "no", "maybe")
    numbers = frame(t=cycled(0, 1))
    assert design(numbers, plan_columns(numbers, "t", task="classify")).y.tolist() == cycled("0", "1")
    with pytest.raises(DataError, match="has the one class 'a': there is nothing to tell apart"):
        plan_columns(frame(t=cycled("a")), "t", task="classify")
    with pytest.raises(DataError, match="has 40 classes in 40 rows: regress on it if it is a number"):
        plan_columns(frame(), "y", task="classify")


def test_several_targets_are_columns_of_y():
    table = frame(t=[None, *RNG.standard_normal(N - 1)])
    found = design(table, plan_columns(table, ["y", "t"]))
    assert found.y.shape == (N - 1, 2)
    assert found.rows.tolist() == list(range(1, N))
    assert found.names == ("x",)


# Weights, groups, folds, options


@pytest.mark.parametrize(
    ("weights", "error", "sentence"),
    [
        (
            cycled(1, -1),
            BadValue,
            r"row 2: column 'w' has '-1.0', and a weight is a finite number, zero or more",
        ),
        (cycled(1, None), BadValue, r"row 2: column 'w' has '', and a weight is"),
        (cycled(1, np.inf), BadValue, r"row 2: column 'w' has 'inf', and a weight is"),
        (cycled(0), DataError, r"every weight in column 'w' is zero: give at least two rows"),
    ],
)
def test_bad_weights_are_refused(weights, error, sentence):
    with pytest.raises(error, match=sentence):
        plan_columns(frame(w=weights), "y", weights="w")


def test_training_means_use_the_weights_and_only_rows_with_a_target():
    x, w = RNG.standard_normal(N), RNG.random(N)
    x[::5] = np.nan
    table = frame(c=x, w=w)
    table.loc[::4, "y"] = np.nan
    keep = table["y"].notna() & ~np.isnan(x)
    column = plan_columns(table, "y", weights="w").column("c")
    np.testing.assert_allclose(column.impute[0], np.average(x[keep], weights=w[keep]), rtol=1e-13)


def test_a_level_that_only_rows_without_a_target_have_gets_no_column():
    table = frame(c=cycled("a", "b", "c", "d"))
    table.loc[table["c"] == "d", "y"] = np.nan
    assert plan_columns(table, "y").column("c").levels == ("a", "b", "c")


def test_a_missing_group_or_fold_is_refused():
    for part in ("group", "fold_column"):
        with pytest.raises(BadValue, match=r"row 3: column 'g' has '', and every row needs a"):
            plan_columns(frame(g=cycled("a", "b", None)), "y", **{part: "g"})


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"drop": "z"}, DataError, r"--drop z: the data frame has no such column; its columns are"),
        ({"categorical": ["q"]}, DataError, r"--categorical q: .* no such column"),
        (
            {"dates": {"x": "days"}},
            UsageError,
            r"unknown date encoding of 'x' 'days': choose one of 'ordinal', 'parts'",
        ),
        ({"drop": "y"}, UsageError, r"column 'y' is the target and --drop leaves it out: choose one"),
        ({"weights": "y"}, UsageError, r"column 'y' was given two parts to play"),
        ({"task": "cluster"}, UsageError, r"unknown task 'cluster': choose one of 'regress', 'classify'"),
        ({"max_levels": 1}, UsageError, r"max_levels is 1, and a category needs two"),
        ({"drop": "x"}, DataError, r"has no column left to learn from \('x': left out as asked\)"),
        ({"dates": {"x": "ordinal"}}, DataError, r"declared a date and holds numbers"),
    ],
)
def test_options_that_contradict_the_table_are_refused(options, error, sentence):
    with pytest.raises(error, match=sentence):
        plan_columns(frame(), "y", **options)


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_are_refused(rows):
    with pytest.raises(DataError, match=r"has column names and no rows|has 1 row: a fit needs at least two"):
        plan_columns(frame().iloc[:rows], "y")


def test_a_table_without_a_varying_column_is_refused():
    table = pd.DataFrame({"y": [1.0, 2, 3], "a": [1, 1, 1], "b": [None] * 3})
    with pytest.raises(
        DataError, match=r"no column .*left to learn from \('a': constant: every value is 1; 'b': every"
    ):
        plan_columns(table, "y")


def test_a_feature_name_that_two_columns_would_make_is_refused():
    with pytest.raises(DataError, match=r"two features are named 'c=a': rename one of them"):
        plan_columns(frame(**{"c": cycled("a", "b", "z"), "c=a": cycled(1, 2)}), "y")


# The plan of a file, made from a sample


def test_a_file_is_planned_from_a_sample_and_says_so(tmp_path):
    table = frame(c=cycled("a", "b", "c"), same=cycled(1))
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    for name in ("t.csv", "t.parquet"):
        plan = plan_columns(tmp_path / name, "y")
        assert plan.sampled
        assert {c.name: c.kind for c in plan.columns} == {"x": "number", "c": "category", "same": "number"}
        with pytest.raises(UsageError, match="settle it with a pass over the data first"):
            design(tmp_path / name, plan)


def test_the_sampled_and_the_settled_plan_agree_on_kinds(tmp_path):
    table = frame(
        c=cycled("a", "b", "c"),
        b=cycled("true", "false"),
        d=cycled("2020-01-01", "2021-05-04"),
        n=cycled("1", None),
    )
    table.to_csv(tmp_path / "t.csv", index=False)
    options = {"dates": {"d": "ordinal"}}
    sampled = plan_columns(tmp_path / "t.csv", "y", **options)
    settled = plan_columns(read_table(tmp_path / "t.csv"), "y", **options)
    assert [(c.name, c.kind) for c in sampled.used] == [
        (c.name, c.kind) for c in settled.used if c.name != "n"
    ] + [("n", "number")]


# Plain data


def test_a_plan_survives_json_bit_for_bit():
    table = frame(
        c=cycled("a", "ü", None),
        v=RNG.standard_normal(N) * 1e-17,
        d=pd.to_datetime(cycled("2020-01-01", None)),
    )
    table.loc[3, "v"] = np.nan
    plan = plan_columns(table, "y", dates={"d": "ordinal"})
    again = TablePlan.from_json(plan.to_json())
    assert again == plan
    assert again.feature_names == plan.feature_names


GOOD = TablePlan((ColumnPlan("x", "number", impute=(1.0,)), ColumnPlan("c", "category", levels=("a", "b"))))


def _with(change):
    data = GOOD.to_dict()
    data["columns"] = [dict(c) for c in data["columns"]]
    change(data)
    return data


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("version"),
        lambda d: d.update(version=2),
        lambda d: d.update(version=True),
        lambda d: d.update(extra=1),
        lambda d: d.pop("task"),
        lambda d: d.update(task="steal"),
        lambda d: d.update(sampled=0),
        lambda d: d.update(max_levels=1.5),
        lambda d: d.update(max_levels=-1),
        lambda d: d.update(rows=True),
        lambda d: d.update(na=["a", 3]),
        lambda d: d.update(na="abc"),
        lambda d: d.update(weights=["w"]),
        lambda d: d.update(columns={}),
        lambda d: d.update(columns=[1]),
        lambda d: d["columns"][0].update(kind="code"),
        lambda d: d["columns"][0].update(__class__="x"),
        lambda d: d["columns"][0].update(name="a" * 20_000),
        lambda d: d["columns"][0].update(name=None),
        lambda d: d["columns"][0].update(name="c"),
        lambda d: d["columns"][0].update(impute=[float("nan")]),
        lambda d: d["columns"][0].update(impute=[float("inf")]),
        lambda d: d["columns"][0].update(impute=[10**400]),
        lambda d: d["columns"][0].update(impute=["1"]),
        lambda d: d["columns"][0].update(impute=[1.0, 2.0]),
        lambda d: d["columns"][0].update(levels=["a"]),
        lambda d: d["columns"][0].update(parts=["days"]),
        lambda d: d["columns"][0].update(kind="date", parts=["century"]),
        lambda d: d["columns"][1].update(levels=["a", "a"]),
        lambda d: d["columns"][1].update(levels=[["a"]]),
        lambda d: d["columns"][1].update(reference="z"),
        lambda d: d["columns"][1].update(missing="yes"),
    ],
)
def test_a_plan_from_an_untrusted_file_is_checked_field_by_field(change):
    assert TablePlan.from_dict(GOOD.to_dict()) == GOOD
    with pytest.raises(DataError):
        TablePlan.from_dict(_with(change))


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000, '{"version": 1e400}', "NaN", b"\xff"])
def test_text_that_is_no_plan_is_refused(text):
    with pytest.raises(DataError, match="this column plan"):
        TablePlan.from_json(text)
