"""Numbers and names as people read them; and numbers as JSON holds them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
RULE_NAMES = {
    "loo": "leave-one-out",
    "kfold": "K-fold",
    "gcv": "GCV",
    "rgcv": "robust GCV",
    "srgcv": "strong robust GCV",
    "evidence": "evidence",
    "mallows": "Mallows",
    "aicc": "AICc",
    "discrepancy": "discrepancy",
    "wgcv": "weighted GCV",
    "lcurve": "L-curve",
    "quasi": "quasi-optimality",
    "ncp": "whiteness of residuals",
    "target_df": "its degrees of freedom",
    "radius": "its radius",
    "length_fraction": "its length",
}


def rule_name(rule: str) -> str:
    """A rule as a page names it; one of the reader's own keeps its name."""
    return RULE_NAMES.get(rule, printable(rule))


def plain(value: Any) -> Any:
    """Lists, dicts, texts, finite numbers and None alone: nan becomes None, ±∞ the texts "inf" and "-inf"."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, np.bool_):
        return bool(value)
    number = float(value)
    if math.isnan(number):
        return None
    return number if math.isfinite(number) else str(number)


def num(value: Any) -> float:
    """A number of the dict as a float: None is nan, "inf" is ∞."""
    return math.nan if value is None else float(value)


def nums(values: Any) -> np.ndarray:
    """The same for a list, or a list of lists."""
    return np.array(values, dtype=object).astype(float) if values else np.zeros(0)


def shown(value: Any, digits: int = 3) -> str:
    """``digits`` significant digits, commas between thousands, powers of ten beyond 10⁻⁴ and 10⁶."""
    x = num(value)
    if math.isnan(x):
        return "–"
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    if x == 0:
        return "0"
    exponent = math.floor(
        math.log10(abs(float(f"{x:.{digits - 1}e}")))
    )  # of the rounded number: 9.996 is 10.0
    if -5 < exponent < 6:
        decimals = max(digits - 1 - exponent, 0)
        return f"{x:,.{decimals}f}".replace("-", "−")
    mantissa = f"{x / 10.0**exponent:.{digits - 1}f}".replace("-", "−")
    return f"{mantissa}·10{str(exponent).translate(SUPERSCRIPT)}"


def whole(value: Any) -> str:
    """A count that need not be whole: 11, or 9.22."""
    x = num(value)
    return f"{x:.0f}" if abs(x - round(x)) < 1e-9 else shown(x)


def power(exponent: float) -> str:
    """10ᵉ for an axis, as text: 0.01, 1, 100, 10⁶."""
    e = round(exponent)
    if -3 <= e <= 4:
        return f"{10.0**e:g}"
    return f"10{str(e).translate(SUPERSCRIPT)}"


def percent(share: float) -> str:
    """A share as people say it."""
    x = 100 * share
    if math.isnan(x):
        return "–"
    return f"{x:.0f}%" if abs(x) >= 10 else f"{x:.1f}%"


def printable(name: str) -> str:
    """A name without line breaks and control characters, which a drawing cannot hold."""
    return "".join(c if c.isprintable() else "·" for c in name)


def short(name: str, most: int = 18) -> str:
    """A name that fits beside a line: its middle gives way, for names differ most often at their ends."""
    name = printable(name)
    if len(name) <= most:
        return name
    head = (most - 1) // 2
    return f"{name[:head]}…{name[len(name) - (most - 1 - head) :]}"


def distinct(names: list[str], most: int = 18) -> list[str]:
    """Names that fit, without what all long ones begin and end with; two of them stay two."""
    if len(names) < 2 or max(map(len, names)) <= most:
        return [printable(name) for name in names]
    head = _shared(names)
    tail = _shared([name[head:][::-1] for name in names])
    if head + tail < 4:
        return [short(name, most) for name in names]
    start = f"{names[0][: min(head, 5)]}{'…' if head > 5 else ''}"
    return [short(f"{start}{name[head : len(name) - tail]}{'…' if tail else ''}", most) for name in names]


def _shared(names: list[str]) -> int:
    """How many characters all names begin with."""
    first, last = min(names), max(names)
    return next(
        (i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last))
    )
