"""A setting is found at the flag, then in the environment, then in a file, then at its default."""

from __future__ import annotations

import json

import pytest

from .running import DATA, run


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("ELLTWO_RULE", "ELLTWO_FIT_RULE", "ELLTWO_CONFIG", "ELLTWO_JSON"):
        monkeypatch.delenv(name, raising=False)


def shown(capsys, *words):
    ran = run(capsys, "fit", DATA / "hald.csv", "--show-config", "--json", *words)
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def test_flag_over_environment_over_file_over_default(capsys, monkeypatch, tmp_path):
    assert shown(capsys)["rule"] == {"value": "auto", "from": "default"}
    (tmp_path / "s.toml").write_text('rule = "gcv"\n[fit]\nfolds = 7\none-se = true\n[convert]\nn = 3\n')
    told = shown(capsys, "--config", "s.toml")
    assert told["rule"] == {"value": "gcv", "from": "file"}
    assert told["folds"] == {"value": 7, "from": "file"}
    assert told["one_se"] == {"value": True, "from": "file"}
    monkeypatch.setenv("ELLTWO_RULE", "kfold")
    assert shown(capsys, "--config", "s.toml")["rule"] == {"value": "kfold", "from": "environment"}
    monkeypatch.setenv("ELLTWO_FIT_RULE", "aicc")
    assert shown(capsys, "--config", "s.toml")["rule"] == {"value": "aicc", "from": "environment"}
    assert shown(capsys, "--config", "s.toml", "--rule", "evidence")["rule"] == {
        "value": "evidence",
        "from": "flag",
    }


def test_files_in_the_folder_are_found(capsys, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n[tool.elltwo.fit]\nseed = 4\n')
    assert shown(capsys)["seed"] == {"value": 4, "from": "file"}
    (tmp_path / "elltwo.toml").write_text("seed = 5\n")
    assert shown(capsys)["seed"] == {"value": 5, "from": "file"}


def test_lists_in_a_file_are_repeated_options(capsys, tmp_path):
    (tmp_path / "elltwo.toml").write_text('[fit]\ndrop = ["x1", "x2"]\ntarget = ["y"]\n')
    ran = run(capsys, "fit", DATA / "hald.csv")
    assert ran.code == 0, ran.err
    assert "x1, x2" in ran.err


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[fit]\nrul = 1\n", "rul"),
        ("[fti]\nrule = 1\n", "fti"),
        ("rule = ", "cannot be read"),
        ("[fit]\nfolds = 'x'", "folds"),
    ],
)
def test_a_wrong_settings_file_is_said(capsys, tmp_path, text, word):
    (tmp_path / "s.toml").write_text(text)
    ran = run(capsys, "fit", DATA / "hald.csv", "-t", "y", "--config", "s.toml")
    assert (ran.code, ran.out) == (2, "")
    assert word in ran.err


def test_a_settings_file_that_is_not_there_is_said(capsys):
    ran = run(capsys, "fit", DATA / "hald.csv", "-t", "y", "--config", "no.toml")
    assert ran.code == 2
    assert "no.toml" in ran.err


def test_show_config_does_nothing_else(capsys, tmp_path):
    ran = run(capsys, "fit", "not-there.csv", "-o", "m.json", "--show-config")
    assert ran.code == 0
    assert "rule" in ran.out
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_no_command_knows_is_refused_at_the_top_too(capsys, tmp_path):
    (tmp_path / "s.toml").write_text("bogus = 1\n")
    ran = run(capsys, "fit", DATA / "hald.csv", "-t", "y", "--config", "s.toml")
    assert ran.code == 2
    assert "unknown setting 'bogus'" in ran.err
    (tmp_path / "s.toml").write_text("sd-y = 1.0\n")  # an option of convert alone
    assert run(capsys, "fit", DATA / "hald.csv", "-t", "y", "-q", "--config", "s.toml").code == 0


def test_what_may_be_given_again_may_stand_alone_in_a_file(capsys, tmp_path):
    (tmp_path / "elltwo.toml").write_text(
        '[fit]\ntarget = "y"\nimpute = 0\nreference = "first"\nindicators = false\n'
    )
    told = shown(capsys)
    assert told["target"] == {"value": ["y"], "from": "file"}
    assert told["impute"]["value"] == ["0"]
    assert told["reference"]["value"] == ["first"]
    assert told["indicators"]["value"] is False
