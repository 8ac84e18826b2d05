"""The one list of spellings that mean "no value", for text in every format."""

from __future__ import annotations

from collections.abc import Iterable

# The list that pandas.read_csv documents; more are declared with ``na=`` or ``--na``.
SPELLINGS = (
    "", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan",
    "NULL", "null", "None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
)  # fmt: skip

# Those that begin as numbers do. A reader that knows them looks twice at every number, a tenth of its time; it may do
# without them, since signed ones are NaN to it as well and the others stop it.
NUMBERLIKE = frozenset(text for text in SPELLINGS if text.startswith(("-", "1")))


def spellings(na: Iterable[str] = ()) -> tuple[str, ...]:
    """The built-in spellings followed by those declared, each once."""
    declared = (na,) if isinstance(na, str) else tuple(str(v) for v in na)
    return tuple(dict.fromkeys((*SPELLINGS, *declared)))


def numeric_spellings(na: Iterable[str]) -> tuple[float, ...]:
    """Declared spellings that are numbers, such as -200 or 9999: numbers equal to them are missing."""
    found = []
    for text in na:
        try:
            value = float(text)
        except ValueError:
            continue
        if value == value and text not in SPELLINGS:
            found.append(value)
    return tuple(found)
