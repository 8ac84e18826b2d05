"""What happens when a command cannot go on: one sentence, one exit code, JSON where asked for."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress

import click

from elltwo.errors import ElltwoError

OK, RUNTIME, USAGE, DATA, INTERRUPTED = 0, 1, 2, 3, 130
DISK_FULL = (28, 122)  # ENOSPC, EDQUOT


def report_failure(code: int, kind: str, sentence: str, as_json: bool) -> int:
    """Say on stderr what went wrong; the exit code, for ``return report_failure(...)``."""
    if as_json:
        text = json.dumps({"error": {"code": code, "type": kind, "message": sentence}}, ensure_ascii=False)
    else:
        from elltwo.cli.words import clean

        text = f"elltwo: {clean(sentence)}"
    with suppress(OSError):  # nobody may listen; the exit code still speaks
        sys.stderr.write(text + "\n")
    return code


def _os_sentence(error: OSError) -> str:
    where = f" {error.filename}" if error.filename else ""
    if error.errno in DISK_FULL:
        return f"the disk is full, nothing was written{where}: free some space or choose another disk"
    return f"{(error.strerror or str(error)).lower()}{where}"


def _click_sentence(error: click.ClickException) -> str:
    sentence = error.format_message().rstrip(".")
    ctx = getattr(error, "ctx", None)
    return f"{sentence} (see {ctx.command_path} --help)" if ctx is not None else sentence


def _forget_stdout() -> None:
    """Throw away what stdout still holds when it cannot be written, or Python complains again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def guarded(run: Callable[[], object], as_json: bool) -> int:
    """Run a command and turn whatever stops it into a sentence and an exit code."""
    try:
        code = run()  # click hands back what ctx.exit() was given, commands themselves return None
        sys.stdout.flush()
        return code if isinstance(code, int) else OK
    except (KeyboardInterrupt, click.Abort):
        return report_failure(
            INTERRUPTED, "Interrupted", "interrupted; no file was left half-written", as_json
        )
    except click.ClickException as error:
        return report_failure(USAGE, type(error).__name__, _click_sentence(error), as_json)
    except ElltwoError as error:
        return report_failure(error.exit_code, type(error).__name__, str(error), as_json)
    except BrokenPipeError:  # the reader of stdout has gone (| head): not worth a word
        _forget_stdout()
        return RUNTIME
    except OSError as error:
        _forget_stdout()
        return report_failure(RUNTIME, type(error).__name__, _os_sentence(error), as_json)
    except MemoryError:
        sentence = "not enough memory: use fewer columns (--drop) or rows, or a machine with more memory"
        return report_failure(RUNTIME, "MemoryError", sentence, as_json)
    except Exception as error:  # the one door where a defect of elltwo itself becomes a sentence
        if os.environ.get("ELLTWO_TRACEBACK"):
            raise
        sentence = f"a defect of elltwo: {type(error).__name__}: {error} (ELLTWO_TRACEBACK=1 shows where)"
        return report_failure(RUNTIME, type(error).__name__, sentence, as_json)
