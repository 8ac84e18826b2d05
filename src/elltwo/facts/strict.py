"""Plain data from an untrusted file into a dataclass: every field there, none besides, each of its type."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

TEXT, LIST = 10_000, 5_000_000  # longest text; most entries of a list


class Malformed(ValueError):
    """A field that is unknown, absent, of the wrong type, too long or not finite; the text says which."""


def text(value: object, where: str) -> str:
    """A text of bounded length."""
    if not isinstance(value, str) or len(value) > TEXT:
        raise Malformed(f"{where} should be a text of at most {TEXT:,} characters")
    return value


def flag(value: object, where: str) -> bool:
    """True or false, and no number."""
    if not isinstance(value, bool):
        raise Malformed(f"{where} should be true or false")
    return value


def count(value: object, where: str) -> int:
    """A whole number, zero or more."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**62:
        raise Malformed(f"{where} should be a whole number")
    return value


def number(value: object, where: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not _finite(value):
        raise Malformed(f"{where} should be a finite number")
    return float(value)


def _finite(value: float) -> bool:
    return abs(value) < 2**1023 if isinstance(value, int) else math.isfinite(value)


def several(read: Callable[[object, str], Any]) -> Callable[[object, str], tuple[Any, ...]]:
    """A list of bounded length, each entry of one type."""

    def read_all(value: object, where: str) -> tuple[Any, ...]:
        if not isinstance(value, (list, tuple)) or len(value) > LIST:
            raise Malformed(f"{where} should be a list of at most {LIST:,} entries")
        return tuple(read(v, f"{where}[{i}]") for i, v in enumerate(value))

    return read_all


def maybe(read: Callable[[object, str], Any]) -> Callable[[object, str], Any]:
    """Nothing, or a value of one type."""
    return lambda value, where: None if value is None else read(value, where)


READERS: dict[str, Callable[[object, str], Any]] = {
    "str": text,
    "str | None": maybe(text),
    "bool": flag,
    "int": count,
    "int | None": maybe(count),
    "float": number,
    "tuple[str, ...]": several(text),
    "tuple[float, ...]": several(number),
}


def record(
    cls: type, data: object, where: str, readers: Mapping[str, Callable[[object, str], Any]] = READERS
) -> Any:
    """Build a dataclass from a mapping; ``readers`` has an entry for each annotation of its fields.

    Raises
    ------
    Malformed
        For the first field that does not fit.
    """
    if not isinstance(data, Mapping):
        raise Malformed(f"{where} should be an object with named fields")
    known = {f.name: str(f.type) for f in fields(cls)}
    if unknown := sorted(map(str, set(data) - set(known))):
        raise Malformed(f"{where} has an unknown field {unknown[0]!r}")
    if absent := [name for name in known if name not in data]:
        raise Malformed(f"{where} lacks the field {absent[0]!r}")
    return cls(**{name: readers[kind](data[name], f"{where}.{name}") for name, kind in known.items()})
