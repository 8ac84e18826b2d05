"""A model as one SELECT statement, for scoring inside a database."""

from __future__ import annotations

from elltwo.facts.model import FittedModel, FittedOutput
from elltwo.reporting.export.terms import Term, terms

# Postgres and DuckDB spell these alike; other databases need their own for date columns
_PARTS = {
    "days": "EXTRACT(EPOCH FROM {c}) / 86400e0",
    "year": "EXTRACT(YEAR FROM {c})",
    "month": "EXTRACT(MONTH FROM {c})",
    "day": "EXTRACT(DAY FROM {c})",
    "weekday": "EXTRACT(ISODOW FROM {c}) - 1",
    "hour": "EXTRACT(HOUR FROM {c}) + EXTRACT(MINUTE FROM {c}) / 60e0 + EXTRACT(SECOND FROM {c}) / 3600e0",
}


def number(value: float) -> str:
    """A literal that every database reads as a double: with an exponent, or it may become a decimal."""
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"


def name(text: str) -> str:
    """A quoted identifier."""
    return '"' + text.replace('"', '""') + '"'


def text(value: str) -> str:
    """A quoted string."""
    return "'" + value.replace("'", "''") + "'"


def _term(term: Term) -> str:
    column, missing = name(term.column), number(term.missing)
    if term.kind == "number":
        return f"COALESCE({number(term.slopes[''])} * {column}, {missing})"
    if term.kind == "boolean":
        return (
            f"CASE WHEN {column} THEN {number(term.slopes[''])} WHEN NOT {column} THEN 0e0 ELSE {missing} END"
        )
    if term.kind == "date":
        parts = " + ".join(f"{number(s)} * ({_PARTS[p].format(c=column)})" for p, s in term.slopes.items())
        return f"COALESCE({parts}, {missing})"
    whens = "".join(f" WHEN {text(level)} THEN {number(value)}" for level, value in term.levels.items())
    unknown = f"CASE WHEN {column} IS NULL THEN {missing} ELSE {number(term.unseen)} END"
    return f"CASE {column}{whens} ELSE {unknown} END" if whens else unknown


def sql_expression(model: FittedModel, output: FittedOutput) -> str:
    """One output as an expression over the columns of the table."""
    return "\n    + ".join([number(output.intercept), *map(_term, terms(model, output))])


def _winner(labels: tuple[str, ...], scores: list[str]) -> str:
    """CASE that names the class with the largest score, the first of equal ones."""
    cases = []
    for i, label in enumerate(labels[:-1]):
        beats = " AND ".join(f"{scores[i]} >= {other}" for j, other in enumerate(scores) if j != i)
        cases.append(f"WHEN {beats} THEN {text(label)}")
    return f"CASE {' '.join(cases)} ELSE {text(labels[-1])} END"


def to_sql(model: FittedModel, table: str = "data") -> str:
    """``SELECT ... AS prediction FROM table``: NULL is a missing value, text columns are compared exactly.

    Parameters
    ----------
    model : FittedModel
    table : str
        Name of the table to score.

    Returns
    -------
    str
        Standard SQL; date columns use EXTRACT as Postgres and DuckDB spell it.
    """
    if not model.classes and len(model.outputs) == 1:
        return (
            f"SELECT\n    {sql_expression(model, model.outputs[0])}\n  AS prediction\nFROM {name(table)};\n"
        )
    names = [name(f"score {out.name}") for out in model.outputs]
    scores = ",\n".join(
        f"    {sql_expression(model, out)}\n  AS {n}" for out, n in zip(model.outputs, names, strict=True)
    )
    if not model.classes:
        return f"SELECT\n{scores}\nFROM {name(table)};\n"
    low, high = model.classes[0], model.classes[-1]
    if len(names) == 1:
        label = f"CASE WHEN {names[0]} > 0 THEN {text(high)} ELSE {text(low)} END"
    else:
        label = _winner(model.classes, names)
    return f"SELECT *, {label} AS prediction FROM (SELECT\n{scores}\nFROM {name(table)}) AS scored;\n"
