"""One readable JSON file per model: written whole or not at all, read with suspicion."""

from __future__ import annotations

import json
import os
from typing import Any

from elltwo.errors import DataError
from elltwo.facts.model import FittedModel, refuse
from elltwo.facts.model_json import model_from_dict, model_to_dict
from elltwo.tables.files import atomic_write

MAX_BYTES = 512 * 2**20
LINE = 110


def to_text(data: Any, indent: str = "") -> str:
    """JSON that a person can read and compare: what fits on a line stays on it."""
    flat = json.dumps(data, ensure_ascii=False, allow_nan=False)
    if not isinstance(data, (dict, list, tuple)) or not data or len(indent) + len(flat) <= LINE:
        return flat
    inner = indent + " "
    if isinstance(data, dict):
        parts = [f"{json.dumps(str(k), ensure_ascii=False)}: {to_text(v, inner)}" for k, v in data.items()]
    else:
        parts = [to_text(v, inner) for v in data]
    open_, close = "{}" if isinstance(data, dict) else "[]"
    return f"{open_}\n{inner}" + f",\n{inner}".join(parts) + f"\n{indent}{close}"


def save_model(model: FittedModel, path: str | os.PathLike[str]) -> None:
    """Write a model file; every float returns bit for bit.

    Raises
    ------
    OutputError
        The place cannot be written; nothing is left there.
    """
    atomic_write(path, to_text(model_to_dict(model)) + "\n")


def load_model(path: str | os.PathLike[str]) -> FittedModel:
    """Read a model file from anywhere; nothing in it is ever executed.

    Raises
    ------
    DataError
        Not there, too large, not JSON, or not a model of this schema; the sentence says which.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"the model file {str(path)!r} cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise DataError(
            f"the model file {str(path)!r} is larger than {MAX_BYTES >> 20} MiB: it is no elltwo model"
        )
    try:
        data = json.loads(content.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_once)
    except UnicodeDecodeError as error:
        raise DataError(f"the model file {str(path)!r} is not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise DataError(f"the model file {str(path)!r} is nested too deeply: it is no elltwo model") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise DataError(f"the model file {str(path)!r} is not valid JSON ({where}: {error.msg})") from None
    except ValueError as error:  # an integer of more digits than Python reads
        raise DataError(f"the model file {str(path)!r} is not valid JSON ({error})") from None
    return model_from_dict(data)


def _no_constant(name: str) -> float:
    raise refuse(f"it holds {name}, which JSON has no number for")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) != len(pairs):
        raise refuse("an object names a field twice")
    return out
