"""Batches under a plan: the same rows however they are cut, settled into the plan that the whole table gives."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from elltwo.errors import BadValue
from elltwo.tables.columns.batches import Batcher
from elltwo.tables.columns.settle import Settler, settle
from elltwo.tables.encode import design
from elltwo.tables.plan import plan_columns, retype
from elltwo.tables.read import iter_batches, open_source, parts, read_table

ROLES = {"weights": "w", "group": "g", "fold_column": "f"}


@pytest.fixture
def folder(tmp_path):
    """The same 400 rows as one CSV file and as two Parquet files of several row groups."""
    rng = np.random.default_rng(3)
    n = 400
    frame = pd.DataFrame(
        {
            "x": rng.standard_normal(n) * 1e3 + 1e6,
            "c": rng.choice([*"abcdef", None], n),
            "b": rng.random(n) > 0.3,
            "same": 4.0,
            "w": rng.random(n),
            "g": rng.choice(["north", "south", "east"], n),
            "f": rng.integers(0, 3, n),
            "y": rng.standard_normal(n),
        }
    )
    frame.loc[rng.random(n) < 0.2, "x"] = np.nan
    frame.loc[rng.random(n) < 0.1, "y"] = np.nan
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame[:230].to_parquet(tmp_path / "0.parquet", row_group_size=60)
    frame[230:].to_parquet(tmp_path / "1.parquet", row_group_size=60)
    return tmp_path


@pytest.mark.parametrize("name", ["t.csv", "*.parquet"])
@pytest.mark.parametrize("batch_rows", [7, 16384])
def test_a_pass_settles_a_sampled_plan_into_that_of_the_whole_table(folder, name, batch_rows):
    source = str(folder / name)
    sampled = plan_columns(source, "y", **ROLES)
    settler = Settler(sampled)
    for batch in iter_batches(source, sampled, batch_rows):
        settler.add(batch)
    settled = settle(sampled, settler.facts(), settler.kept)
    whole = plan_columns(read_table(source), "y", **ROLES)
    assert settled.feature_names == whole.feature_names
    assert (
        [c.reason for c in settled.dropped]
        == [c.reason for c in whole.dropped]
        == ["constant: every value is 4"]
    )
    for mine, theirs in zip(settled.used, whole.used, strict=True):
        np.testing.assert_allclose(mine.impute, theirs.impute, rtol=1e-13)
        assert (mine.levels, mine.missing) == (theirs.levels, theirs.missing)


def test_parts_read_alone_and_in_any_order_are_the_rows_of_the_whole(folder):
    source = open_source(str(folder / "*.parquet"))
    plan = plan_columns(source, "y", **ROLES)
    whole = list(iter_batches(source, plan, 50))
    assert [b.first_row for b in whole] == [0, 50, 60, 110, 120, 170, 180, 230, 280, 290, 340, 350]
    every = np.concatenate([b.numbers for b in whole])
    keys = np.concatenate([b.group for b in whole])
    for part in reversed(parts(source)):
        alone = list(iter_batches(source, plan, 1000, only=[part]))
        rows = slice(part.first_row, part.first_row + part.rows)
        np.testing.assert_array_equal(alone[0].numbers, every[rows])
        np.testing.assert_array_equal(alone[0].group, keys[rows])
        assert (alone[0].origin.file, alone[0].origin.row_group) == (part.file.path, part.row_group)


def test_codes_decode_to_the_labels_and_flags_to_the_gaps(folder):
    plan = plan_columns(folder / "t.csv", "y", **ROLES)
    frame = pd.read_csv(folder / "t.csv")
    batches = list(iter_batches(folder / "t.csv", plan, 33))
    labels = np.array([*batches[-1].books[0].levels, None], dtype=object)
    found = np.concatenate([labels[b.codes[:, 0]] for b in batches])
    assert [v if isinstance(v, str) else None for v in frame["c"]] == found.tolist()
    missing = np.concatenate([np.isnan(b.numbers) if b.missing is None else b.missing for b in batches])
    np.testing.assert_array_equal(missing[:, 0], frame["x"].isna())
    np.testing.assert_array_equal(np.concatenate([b.targets for b in batches])[:, 0], frame["y"])
    np.testing.assert_array_equal(np.concatenate([b.weights for b in batches]), frame["w"])
    folds = np.concatenate([b.fold for b in batches])
    assert [batches[0].fold_book.levels[i] for i in folds] == frame["f"].astype(str).tolist()


def test_groups_have_the_same_key_in_a_stream_and_in_memory(folder):
    plan = plan_columns(folder / "t.csv", "y", **ROLES)
    streamed = np.concatenate([b.group for b in iter_batches(folder / "t.csv", plan)])
    table = read_table(str(folder / "*.parquet"))
    found = design(table, plan_columns(table, "y", **ROLES))
    np.testing.assert_array_equal(found.groups, streamed[found.rows])


def test_level_books_go_on_from_an_earlier_pass(folder):
    plan = plan_columns(folder / "t.csv", "y", categorical="c")
    batcher = Batcher(plan)
    first = [b.codes for b in iter_batches(folder / "t.csv", plan, batcher=batcher)]
    again = [b.codes for b in iter_batches(folder / "t.csv", plan, batcher=batcher)]
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(again))
    assert sorted(batcher.books[0].levels) == [*"abcdef"]


def test_a_bad_value_in_a_row_group_names_it_and_can_be_sent_to_another_process(folder):
    frame = pd.read_parquet(folder / "1.parquet")
    frame["x"] = frame["x"].astype(str).replace("nan", None)
    frame.loc[frame.index[100], "x"] = "oops"
    frame.to_parquet(folder / "2.parquet", row_group_size=60)
    plan = plan_columns(folder / "0.parquet", "y")
    with pytest.raises(
        BadValue, match=r"2\.parquet, row 101 \(row group 1\): column 'x' has 'oops'"
    ) as caught:
        list(iter_batches(folder / "2.parquet", plan))
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.row, again.column, again.exit_code) == (str(caught.value), 101, "x", 3)


def test_a_stream_that_meets_text_starts_again_with_a_retyped_plan(tmp_path):
    lines = [f"{i if i != 999 else 'none'},{i % 7},{i % 3}" for i in range(1000)]
    (tmp_path / "t.csv").write_text("code,x,y\n" + "\n".join(lines))
    plan = plan_columns(tmp_path / "t.csv", "y")
    with pytest.raises(BadValue) as caught:
        list(iter_batches(tmp_path / "t.csv", plan))
    plan = retype(plan, caught.value)
    assert "column 'code' is read as text, because of 'none'" in plan.notes
    batches = list(iter_batches(tmp_path / "t.csv", plan))
    assert len(batches[-1].books[0].levels) == 1000
    with pytest.raises(BadValue, match="column 'code' has 'none'"):
        retype(plan, caught.value)


def test_only_the_columns_of_the_plan_are_read(folder):
    plan = plan_columns(folder / "t.csv", "y", drop=["w", "g", "f"])
    lines = (folder / "t.csv").read_text().splitlines()
    header = lines[0].split(",")
    spoiled = [line.split(",") for line in lines[1:]]
    for row in spoiled:
        row[header.index("w")] = "no number"
    (folder / "s.csv").write_text("\n".join([lines[0], *map(",".join, spoiled)]))
    mine = np.concatenate([b.numbers for b in iter_batches(folder / "s.csv", plan)])
    theirs = np.concatenate([b.numbers for b in iter_batches(folder / "t.csv", plan)])
    np.testing.assert_array_equal(mine, theirs)
