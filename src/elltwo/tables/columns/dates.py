"""Dates of an Arrow column as numbers: days, or year, month, day, weekday and hour."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import numpy as np

from elltwo.tables.columns.values import parsed
from elltwo.tables.reading.readers import family
from elltwo.tables.source import Raw

DAY_US = 86_400_000_000


def dates(raw: Raw, name: str, parts: Sequence[str], na: frozenset[str]) -> np.ndarray:
    """Date parts (n, len(parts)) float64, NaN where missing.

    ``days`` counts days since 1970-01-01 with fractions; ``weekday`` is 0 on Monday; ``hour`` has fractions.
    Text is read as YYYY-MM-DD, with or without a time; a zone is carried to UTC.

    Raises
    ------
    BadValue
        If a value is no such date.
    """
    micro = _microseconds(raw, name, na)
    missing = np.isnat(micro)
    filled = np.where(missing, np.datetime64(0, "us"), micro)
    out = np.stack([_PART[part](filled) for part in parts], axis=1)
    out[missing] = np.nan
    return out


def _microseconds(raw: Raw, name: str, na: frozenset[str]) -> np.ndarray:
    import pyarrow as pa

    array = raw.arrow.column(name)
    if family(array.type) == "date":
        if pa.types.is_dictionary(array.type):
            array = array.cast(array.type.value_type)
        return (
            array.cast(pa.timestamp("us"), safe=False).to_numpy(zero_copy_only=False).astype("datetime64[us]")
        )
    read = partial(parsed, expected="the column holds dates written YYYY-MM-DD")
    values = read(raw, name, na, microseconds)
    return np.where(np.isnan(values), 0, values).astype("int64").astype("datetime64[us]") + np.where(
        np.isnan(values), np.timedelta64("NaT"), np.timedelta64(0, "us")
    )


def microseconds(text: str) -> float | None:
    """Microseconds since 1970 of an ISO date, or None if it is none."""
    from datetime import UTC, datetime

    if len(text) < 8 or not text[:4].isdigit():
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1e6)


def _years(t: np.ndarray) -> np.ndarray:
    return t.astype("datetime64[Y]").astype(float) + 1970


def _months(t: np.ndarray) -> np.ndarray:
    return t.astype("datetime64[M]").astype(int) % 12 + 1.0


def _day_of_month(t: np.ndarray) -> np.ndarray:
    return (t.astype("datetime64[D]") - t.astype("datetime64[M]").astype("datetime64[D]")).astype(float) + 1.0


_PART = {
    "days": lambda t: t.astype("int64") / DAY_US,
    "year": _years,
    "month": _months,
    "day": _day_of_month,
    "weekday": lambda t: (t.astype("datetime64[D]").astype(int) + 3) % 7 + 0.0,  # 1970-01-01 was a Thursday
    "hour": lambda t: (t.astype("int64") % DAY_US) / (DAY_US / 24),
}


def is_date(text: str) -> bool:
    """Whether text is an ISO date, or one with day or month first that no program can read safely."""
    return (
        microseconds(text) is not None or re.fullmatch(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}", text) is not None
    )
