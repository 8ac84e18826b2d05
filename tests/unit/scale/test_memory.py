"""The memory that is announced before a pass is not less than what the pass, and the fit after it, are seen to take."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from elltwo.facts.plan import TablePlan
from elltwo.scale.jobs.arithmetic import LEVELS_GUESS, memory_arithmetic, partial_sums
from elltwo.scale.jobs.job import plan_job
from elltwo.tables.moments.forest import add_node
from elltwo.tables.reading.parquet import AHEAD_BYTES, decoded_ahead

# A small table first, so that imports and pools are there; then the peak of resident memory over what is there.
PROGRAM = """
import json, sys
from elltwo.scale.fitting import fit_set
from elltwo.scale.jobs.job import plan_job
from elltwo.scale.passes.passing import run_job

def resident(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name + ":"))

small, large = sys.argv[1:]
fit_set(run_job(plan_job(small, "y")))
job = plan_job(large, "y")
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
before = resident("VmRSS")
fit_set(run_job(job))
a = job.arithmetic
print(json.dumps({"announced": a.bytes, "blocks": a.blocks, "peak": resident("VmHWM") - before}))
"""


def numbers(rows, columns=8, seed=0):
    rng = np.random.default_rng(seed)
    found = pd.DataFrame(rng.standard_normal((rows, columns)), columns=[f"x{j}" for j in range(columns)])
    return found.assign(y=found.x0 + rng.standard_normal(rows))


def categories(rows, levels=(5, 40, 300), seed=0):
    rng = np.random.default_rng(seed)
    made = {f"c{i}": [f"level {v}" for v in rng.integers(0, n, rows)] for i, n in enumerate(levels)}
    return numbers(rows, 3).assign(**made)


@pytest.mark.skipif(
    not os.access("/proc/self/clear_refs", os.W_OK), reason="this system keeps no resettable peak"
)
@pytest.mark.parametrize(
    ("kind", "make", "rows"), [("parquet", numbers, 400_000), ("csv", categories, 60_000)]
)
def test_what_is_announced_is_at_least_the_measured_peak(tmp_path, kind, make, rows):
    for name, n in (("small", 2_000), ("large", rows)):
        path = tmp_path / f"{name}.{kind}"
        make(n).to_parquet(path, row_group_size=n) if kind == "parquet" else make(n).to_csv(path, index=False)
    words = [sys.executable, "-c", PROGRAM, str(tmp_path / f"small.{kind}"), str(tmp_path / f"large.{kind}")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["peak"] <= found["announced"]
    assert found["peak"] > 0.1 * found["announced"], "it is not announced tenfold either"


def test_rows_decoded_ahead_are_counted_for_few_columns_and_stay_within_their_bytes_for_many():
    assert decoded_ahead(16_000, 8) == 64_000
    assert decoded_ahead(16_000, 2_000) == 16_000
    for columns in (1, 50, 60, 100):
        assert 8 * columns * decoded_ahead(16_000, columns) <= max(AHEAD_BYTES, 8 * columns * 16_000)


def test_levels_of_the_sample_are_announced_and_more_where_it_met_many_once(tmp_path):
    steady, growing = (tmp_path / f"{name}.csv" for name in ("steady", "growing"))
    table = numbers(4_000, 1)
    table.assign(c=[f"l{i % 400}" for i in range(4_000)]).to_csv(steady, index=False)
    table.assign(c=[f"l{i % 400 if i % 2 else i}" for i in range(4_000)]).to_csv(growing, index=False)
    known, more = (plan_job(path, "y") for path in (steady, growing))
    few = 1 + 2 * 2
    assert known.plan.column("c").expected == 400
    assert known.arithmetic.columns == few + 402
    assert more.plan.column("c").expected > 3_000
    assert more.arithmetic.columns == few + 2_002, "the cap, twice, as dictionaries grow"
    assert known.arithmetic.full > known.arithmetic.node
    plain = TablePlan.from_json(known.plan.to_json())
    assert memory_arithmetic(plain, 5, leaves=1, tallest=4_000) == known.arithmetic
    assert LEVELS_GUESS < 400


def test_a_short_table_of_many_columns_is_not_charged_for_pages_that_it_cannot_fill():
    plan = plan_job(numbers(300, 40), "y").plan
    short, tall, unknown = (memory_arithmetic(plan, 5, tallest=rows) for rows in (300, 10**6, None))
    assert short.blocks < tall.blocks / 2
    assert tall == unknown
    assert short.block_rows == tall.block_rows, "leaves are cut alike"


def test_the_fit_keeps_two_matrices_of_every_fold_beside_those_of_one():
    plan = plan_job(numbers(300), "y").plan
    two, ten = (memory_arithmetic(plan, folds) for folds in (2, 10))
    assert ten.fit - two.fit == 8 * 2 * 8 * two.columns**2
    assert two.bytes >= two.full + two.fit


def test_a_forest_never_holds_more_sums_than_are_counted():
    for leaves in (1, 2, 4, 5, 16, 17, 63, 64, 100, 256):
        forest, most = {}, 0
        for leaf in range(leaves):
            held = len(forest) + 1  # the leaf that is planted now stands beside the others
            most = max(most, held)
            add_node(forest, (0, leaf), None, leaves, lambda _: None)
        assert most + 2 * (leaves > 1) <= partial_sums(leaves)
    assert partial_sums(256) == 15
    assert partial_sums(1) == 1
