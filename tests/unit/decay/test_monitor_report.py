"""The page of a run is made from its log alone, and says what the log says."""

import json
import re

import numpy as np
import pytest

from elltwo.errors import DataError, InputError
from elltwo.facts.decaylog import DecayLog
from elltwo.reporting.decay_run import collect_run, monitor_report, run_html


def log(invariant="proven", predicted=True):
    header = {
        "elltwo_decay_log": 1,
        "every": 10,
        "optimizer": {"class": "AdamW", "decoupled": True, "laws": []},
        "weight_decay": {"decay": 0.1},
        "tensors": {
            "<w>": {"shape": [4, 3], "group": "decay", "role": "linear weight", "scale_invariant": invariant}
        },
    }
    rows = []
    for t in range(0, 200, 10):
        row = {"norm": 2.0 + t / 100, "grad_norm": 0.1, "rotation": 0.02, "rate": 1e-3, "decay_share": 0.25}
        rows.append(
            {"step": t, "tensors": {"<w>": {**row, **({"predicted_rotation": 0.01} if predicted else {})}}}
        )
    rows.append({"step": 199, "scalars": {"val_loss": 1.25}})
    return DecayLog(header, tuple(rows))


def test_the_collected_dict_holds_the_numbers_of_the_log():
    run = collect_run(log())
    assert run["steps"] == 200
    assert run["samples"] == 20
    assert "turns 2 times as fast" in run["sentence"]
    np.testing.assert_allclose(run["growth"]["<w>"]["values"][-1], (2.0 + 1.9) / 2.0)
    assert run["losses"]["val_loss"] == {"steps": [199], "values": [1.25]}
    json.dumps(run)


def test_the_page_is_self_contained_and_escapes_names(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text("\n".join(log().lines()) + "\n")
    monitor_report(path, tmp_path / "run.html")
    text = (tmp_path / "run.html").read_text()
    assert "&lt;w&gt;" in text
    assert "<w>" not in text
    assert not re.search(r'(?:src|href)="https?:', text)
    assert text.count("<svg") == 4
    assert len(text) < 1_000_000


def test_a_run_without_prediction_or_measurement_says_so(tmp_path):
    assert "no tensor has a predicted rotation" in run_html(collect_run(log("unknown", predicted=False)))
    with pytest.raises(InputError, match="no measurement yet"):
        collect_run(DecayLog(log().header))
    (tmp_path / "x.jsonl").write_text('{"a": 1}\n')
    with pytest.raises(DataError, match="not a decay log"):
        monitor_report(tmp_path / "x.jsonl", tmp_path / "run.html")


def test_tensors_that_take_turns_each_count_with_their_latest_value():
    about = {"shape": [2, 2], "group": "decay", "role": "linear weight", "scale_invariant": "proven"}
    header = {**log().header, "turns": 2, "tensors": {"a": about, "b": about}}
    rows = tuple(
        {"step": t, "tensors": {n: {"norm": 1.0, "grad_norm": 1.0, **({"rotation": v} if n == turn else {})}
                                for n, v in (("a", 1.0), ("b", 3.0))}}
        for t, turn in ((0, "a"), (10, "b"), (20, "a"), (30, "b"))
    )  # fmt: skip
    measured = collect_run(DecayLog(header, rows))["rotation"]["measured"]
    assert measured == {"steps": [0, 10, 20, 30], "values": [1.0, 2.0, 2.0, 2.0]}
    alone = collect_run(DecayLog({**header, "turns": 1}, rows))["rotation"]["measured"]
    assert alone["values"] == [1.0, 3.0, 1.0, 3.0]
