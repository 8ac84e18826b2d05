"""The door: help without weight, every command documented, exit codes that never change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from elltwo.cli.main import COMMANDS, cli
from elltwo.cli.pages import PAGES

from .running import run, spawn

HEAVY = {"numpy", "scipy", "pyarrow", "sklearn", "matplotlib", "jinja2", "rich", "torch", "dask", "pandas"}


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["fit", "--help"], ["predict", "--help"], ["nonsense"]]
)
def test_asking_for_help_loads_no_numerical_package(words):
    script = (
        "import sys; from elltwo.cli.main import main; code = main(sys.argv[1:]); "
        f"loaded = {HEAVY!r} & {{m.split('.')[0] for m in sys.modules}}; "
        "sys.exit(f'loaded {loaded}' if loaded else code)"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == (2 if words == ["nonsense"] else 0), done.stderr


def test_the_help_lists_every_command_without_importing_it(capsys):
    ran = run(capsys, "--help")
    assert ran.code == 0
    for name, (_, sentence) in COMMANDS.items():
        assert f"{name} " in ran.out
        assert sentence.split(",")[0][:30] in ran.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_says_what_it_does(name, capsys):
    command = cli.get_command(click.Context(cli), name)
    assert isinstance(command, click.Command)
    assert len(command.help or "") > 40
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"elltwo {name} {option.opts[0]} has no help"
    ran = run(capsys, name, "--help")
    assert ran.code == 0
    assert max(map(len, ran.out.splitlines())) <= 80


def test_an_unknown_command_gets_a_suggestion(capsys):
    ran = run(capsys, "ft")
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean 'fit'" in ran.err


@pytest.mark.parametrize(
    "words", [["fit"], ["fit", "x.csv", "--no-such"], ["fit", "x.csv", "--folds", "many"]]
)
def test_wrong_use_is_exit_code_2_in_one_line(words, capsys):
    ran = run(capsys, *words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("elltwo: ")
    assert len(ran.err.splitlines()) == 1


def test_errors_are_json_when_results_are(capsys):
    import json

    ran = run(capsys, "fit", "nowhere.csv", "-t", "y", "--json")
    assert ran.code == 3
    error = json.loads(ran.err)["error"]
    assert error["code"] == 3
    assert error["type"] == "DataError"
    assert "nowhere.csv" in error["message"]


def test_python_m_elltwo_cli_is_the_same_program():
    assert spawn("--version").out.startswith("elltwo 0.")


def test_a_defect_is_a_sentence_and_the_traceback_is_one_variable_away(capsys, monkeypatch):
    from elltwo.cli.commands import demo

    monkeypatch.setattr(demo, "_list", lambda as_json: 1 / 0)
    ran = run(capsys, "demo", "--list")
    assert ran.code == 1
    assert "defect of elltwo: ZeroDivisionError" in ran.err
    monkeypatch.setenv("ELLTWO_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run(capsys, "demo", "--list")


def test_a_missing_extra_says_what_to_install(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "elltwo.decay.commands", raising=False)
    for words in (["plan", "train.py:build"], ["audit", "train.py:build"]):
        ran = run(capsys, *words)
        assert ran.code == 1
        assert "pip install 'elltwo[torch]'" in ran.err


def test_a_missing_onnx_says_what_to_install(capsys, monkeypatch, tmp_path):
    from .running import DATA

    run(capsys, "fit", DATA / "hald.csv", "-t", "y", "-o", tmp_path / "m.json", "-q")
    monkeypatch.setitem(sys.modules, "onnx", None)
    ran = run(capsys, "export", tmp_path / "m.json", "--to", "onnx", "-o", tmp_path / "m.onnx")
    assert ran.code == 1
    assert "pip install 'elltwo[onnx]'" in ran.err
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize("name", PAGES)
def test_pages_are_what_the_program_prints(name):
    page = Path(__file__).parents[3] / "docs" / name
    assert page.read_text(encoding="utf-8") == PAGES[name](), "run: python -m elltwo.cli.pages"


def test_the_reference_has_every_command():
    page = PAGES["reference/command-line.md"]()
    assert all(f"## elltwo {name}\n" in page for name in COMMANDS)
