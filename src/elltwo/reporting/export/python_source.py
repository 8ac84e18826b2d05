"""A model as a Python file that needs nothing but Python."""

from __future__ import annotations

from elltwo.facts.model import FittedModel
from elltwo.reporting.export.terms import terms

_TEMPLATE = '''\
"""Prediction of {target!r}, written by elltwo {version}. Needs only Python 3.11.

    predict({{"column": value, ...}}) -> {returns}

Values may be numbers, booleans, dates, text as in a CSV file, None or NaN.
"""

from datetime import datetime, timezone

MISSING = {missing!r}
TRUTH = {{"true": 1.0, "false": 0.0}}
CLASSES = {classes!r}
# per output: its intercept, then per column (name, kind, slopes, levels, for a missing value, for an unseen level)
OUTPUTS = {outputs}


def _is_missing(value):
    return value is None or value != value or (isinstance(value, str) and value in MISSING)


def _number(value):
    if isinstance(value, str):
        return TRUTH[value.lower()] if value.lower() in TRUTH else float(value)
    return float(value)


def _parts(value):
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    moment = moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
    days = (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds() / 86400
    hour = moment.hour + moment.minute / 60 + (moment.second + moment.microsecond / 1e6) / 3600
    return {{"days": days, "year": moment.year, "month": moment.month, "day": moment.day,
            "weekday": moment.weekday(), "hour": hour}}


def _term(value, kind, slopes, levels, missing, unseen):
    if _is_missing(value):
        return missing
    if kind == "category":
        return levels.get(_label(value), unseen)
    if kind == "date":
        parts = _parts(value)
        return sum(slope * parts[part] for part, slope in slopes.items())
    return slopes[""] * _number(value)


def _label(value):
    if isinstance(value, float) and value == int(value):
        return str(int(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def scores(row):
    """One number per output."""
    return [start + sum(_term(row[name], *rest) for name, *rest in columns) for start, columns in OUTPUTS]


def predict(row):
    """The prediction for one row, a mapping from column names to values."""
    found = scores(row)
    if not CLASSES:
        return found[0] if len(found) == 1 else found
    if len(found) == 1:
        return CLASSES[int(found[0] > 0)]
    return CLASSES[found.index(max(found))]
'''


def to_python(model: FittedModel) -> str:
    """Source of a module with ``predict(row)``; numbers are written so that they return bit for bit."""
    outputs = []
    for out in model.outputs:
        rows = [
            f"        {(t.column, t.kind, t.slopes, t.levels, t.missing, t.unseen)!r},\n"
            for t in terms(model, out)
        ]
        outputs.append(f"    ({out.intercept!r}, [\n{''.join(rows)}    ]),\n")
    target = ", ".join(t.name for t in model.plan.targets)
    several = "one number" if len(model.outputs) == 1 else "a list of numbers"
    return _TEMPLATE.format(
        target=target,
        version=model.version,
        returns="a class" if model.classes else several,
        missing=frozenset(model.plan.na),
        classes=model.classes,
        outputs="[\n" + "".join(outputs) + "]",
    )
