"""A fitted model to plain JSON data and back, with suspicion.

A model file may come from anywhere: reading checks every field, its type and its size, and refuses the
rest in a sentence that says where it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from elltwo.facts.finding import Finding
from elltwo.facts.model import FittedModel, FittedOutput, refuse
from elltwo.facts.plan import TablePlan
from elltwo.facts.strength import Strength

SCHEMA = 1
FORMAT = "elltwo.model"
MAX_FEATURES = 2_000_000
MAX_TEXT = 20_000
NONFINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_TOP = (
    "format", "schema", "version", "rows", "rule", "standardize", "strength", "scores", "choices", "findings",
    "how", "features", "outputs", "plan", "report",
)  # fmt: skip
_OUTPUT = ("name", "intercept", "alpha", "df", "noise_variance", "columns", "coefficients")
_COLUMNS = ("coef", "standardized", "unregularized", "lower", "upper")


def model_to_dict(model: FittedModel) -> dict[str, Any]:
    """Plain data for JSON, coefficients as one row per feature so that two files can be compared."""
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "version": model.version,
        "rows": model.rows,
        "rule": model.rule,
        "standardize": model.standardize,
        "strength": _strength_out(model.strength),
        "scores": {k: _number_out(v) for k, v in model.scores.items()},
        "choices": {k: _number_out(v) for k, v in model.choices.items()},
        "findings": [{f.name: _number_out(getattr(x, f.name)) for f in fields(x)} for x in model.findings],
        "how": dict(model.how),
        "features": [[*row] for row in zip(model.features, model.means, model.scales, strict=True)],
        "outputs": [_output_out(out, model.features) for out in model.outputs],
        "plan": model.plan.to_dict(),
        "report": model.report,
    }


def model_from_dict(data: object) -> FittedModel:
    """Check untrusted plain data and build the model.

    Raises
    ------
    DataError
        Unknown, missing, mistyped or contradicting fields; another format or schema.
    """
    top = _object(data, "the file", _TOP)
    if top["format"] != FORMAT:
        raise refuse(f"its format is {top['format']!r:.60} and should be {FORMAT!r}")
    if type(top["schema"]) is not int or top["schema"] != SCHEMA:
        raise refuse(f"its schema is {top['schema']!r:.60} and this elltwo reads {SCHEMA}")
    plan = TablePlan.from_dict(top["plan"])
    names = plan.feature_names
    rows = _rows(top["features"], names, 2, "features")
    return FittedModel(
        plan=plan,
        outputs=tuple(_output_in(o, names) for o in _list(top["outputs"], "outputs", 100_000)),
        means=tuple(r[0] for r in rows),
        scales=tuple(r[1] for r in rows),
        standardize=_flag(top["standardize"], "standardize"),
        strength=_strength_in(top["strength"]),
        rule=_text(top["rule"], "rule"),
        scores=_mapping(top["scores"], "scores", _number),
        choices=_mapping(top["choices"], "choices", _number),
        findings=tuple(_finding_in(f) for f in _list(top["findings"], "findings", 10_000)),
        how=_mapping(top["how"], "how", _text),
        rows=_count(top["rows"], "rows"),
        version=_text(top["version"], "version"),
        report=_object(top["report"], "report", None),
    )


def _number_out(value: Any) -> Any:
    """A float as JSON can hold it: infinities and NaN by name."""
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def _strength_out(s: Strength) -> dict[str, Any]:
    out = {f.name: _number_out(getattr(s, f.name)) for f in fields(s)}
    if isinstance(s.value, tuple):
        out["value"] = [_number_out(v) for v in s.value]
    return out


def _output_out(out: FittedOutput, features: tuple[str, ...]) -> dict[str, Any]:
    kept = [name for name in _COLUMNS if getattr(out, name)] or ["coef", "standardized"]
    table = zip(features, *(map(_number_out, getattr(out, name)) for name in kept), strict=True)
    single = {k: _number_out(getattr(out, k)) for k in ("name", "intercept", "alpha", "df", "noise_variance")}
    return {**single, "columns": kept, "coefficients": [[*row] for row in table]}


# Loading: small functions with one job each; every one says where it was when it refused.


def _object(value: object, where: str, keys: tuple[str, ...] | None) -> dict[str, Any]:
    if not isinstance(value, Mapping) or any(not isinstance(k, str) for k in value):
        raise refuse(f"{where} should be an object with named fields")
    if keys is not None:
        if unknown := sorted(set(value) - set(keys)):
            raise refuse(f"{where} has an unknown field {unknown[0]!r:.60}")
        if absent := [k for k in keys if k not in value]:
            raise refuse(f"{where} lacks the field {absent[0]!r}")
    return dict(value)


def _list(value: object, where: str, most: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > most:
        raise refuse(f"{where} should be a list of at most {most:,} entries")
    return value


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise refuse(f"{where} should be a text of at most {MAX_TEXT:,} characters")
    return value


def _flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise refuse(f"{where} should be true or false")
    return value


def _count(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**62:
        raise refuse(f"{where} should be a whole number")
    return value


def _number(value: object, where: str) -> float:
    if isinstance(value, str) and value in NONFINITE:
        return NONFINITE[value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise refuse(f"{where} should be a number")
    try:
        return float(value)
    except OverflowError:
        raise refuse(f"{where} is too large a number") from None


def _maybe(value: object, where: str) -> float | None:
    return None if value is None else _number(value, where)


def _mapping(value: object, where: str, read: Callable[[object, str], Any]) -> dict[str, Any]:
    data = _object(value, where, None)
    if len(data) > 10_000:
        raise refuse(f"{where} should have at most 10,000 entries")
    return {_text(k, where): read(v, f"{where}.{k:.60}") for k, v in data.items()}


def _rows(value: object, names: tuple[str, ...], width: int, where: str) -> list[list[float]]:
    """Rows [feature, number, ...] in the plan's order, without the names."""
    rows = _list(value, where, MAX_FEATURES)
    if len(rows) != len(names):
        raise refuse(f"{where} has {len(rows)} rows for {len(names)} features of the plan")
    out = []
    for row, name in zip(rows, names, strict=True):
        if not isinstance(row, list) or len(row) != width + 1 or row[0] != name:
            raise refuse(f"{where} should have the row [{name!r}, {width} numbers]")
        out.append([_number(v, f"{where} of {name!r}") for v in row[1:]])
    return out


def _output_in(value: object, names: tuple[str, ...]) -> FittedOutput:
    data = _object(value, "an output", _OUTPUT)
    kept = _list(data["columns"], "columns", len(_COLUMNS))
    if kept != [c for c in _COLUMNS if c in kept] or kept[:2] != ["coef", "standardized"]:
        raise refuse(f"the columns of an output should be among {', '.join(_COLUMNS)}, in that order")
    rows = _rows(data["coefficients"], names, len(kept), "coefficients")
    table = {c: tuple(r[j] for r in rows) for j, c in enumerate(kept)}
    rest: dict[str, Any] = {k: _number(data[k], k) for k in ("intercept", "alpha", "df", "noise_variance")}
    rest |= {c: table.get(c, ()) for c in _COLUMNS}
    return FittedOutput(name=_text(data["name"], "name"), **rest)


def _strength_in(value: object) -> Strength:
    data = _object(value, "strength", tuple(f.name for f in fields(Strength)))
    number = data["value"]
    several = isinstance(number, list)
    parsed: Any = tuple(_number(v, "strength") for v in number) if several else _number(number, "strength")
    columns: Any = _text(data["columns"], "strength.columns")
    rest = {k: _maybe(data[k], f"strength.{k}") for k in ("n", "sd_y", "noise_variance")}
    return Strength(parsed, _text(data["convention"], "strength.convention"), columns, **rest)


def _finding_in(value: object) -> Finding:
    data = _object(value, "a finding", tuple(f.name for f in fields(Finding)))
    severity: Any = data["severity"]
    if severity not in ("info", "warning", "error"):
        raise refuse("the severity of a finding should be info, warning or error")
    rest: dict[str, Any] = {k: _maybe(data[k], f"finding.{k}") for k in ("number", "threshold")}
    rest |= {k: _text(data[k], f"finding.{k}") for k in ("code", "sentence", "remedy")}
    return Finding(severity=severity, **rest)
