"""Numbers and names as a person at a terminal reads them."""

from __future__ import annotations

import math
from textwrap import wrap

from elltwo.cli.console import WIDTH

RULES = {
    "loo": "leave-one-out cross-validation",
    "kfold": "K-fold cross-validation",
    "gcv": "generalized cross-validation",
    "rgcv": "robust generalized cross-validation",
    "evidence": "the evidence (empirical Bayes)",
    "mallows": "Mallows' Cp",
    "aicc": "the corrected Akaike criterion",
    "discrepancy": "the discrepancy principle",
    "srgcv": "strong robust generalized cross-validation",
    "wgcv": "weighted generalized cross-validation",
    "lcurve": "the corner of the L-curve",
    "quasi": "quasi-optimality",
    "ncp": "the whiteness of the residuals",
}


def flag_of(parameter: str) -> str:
    """How an option is written."""
    return "--feature" if parameter == "features" else f"--{parameter.replace('_', '-')}"


def rule_words(rule: str) -> str:
    """A rule's name in full."""
    return RULES.get(rule, f"the rule {rule}")


def figure(value: float, digits: int = 4) -> str:
    """A number with about four digits: 0.001234, 54.91, 1,234, 1.2e+12."""
    if not math.isfinite(value):
        return "infinite" if value > 0 else "-infinite" if value < 0 else "unknown"
    if value == 0:
        return "0"
    if 1000 <= abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def together(middle: float, low: float, high: float) -> tuple[str, str, str]:
    """An estimate and the ends of its interval with the same decimals: two digits of half the interval's width."""
    half = (high - low) / 2
    if not (math.isfinite(half) and 1e-6 < half < 1e9):
        return figure(middle), figure(low, 3), figure(high, 3)
    decimals = max(1 - math.floor(math.log10(half)), 0)
    return f"{middle:,.{decimals}f}", f"{low:,.{decimals}f}", f"{high:,.{decimals}f}"


def percent(share: float) -> str:
    """49 %, 0.4 %, -3 %; ends of the scale are not rounded away."""
    value = 100 * share
    if not math.isfinite(value):
        return "unknown"
    if 99.5 <= value < 100:
        return f"{min(value, 99.99):.4g} %"
    return f"{value:.0f} %" if abs(value) >= 1 or value == 0 else f"{value:.1g} %"


def clean(text: str) -> str:
    """Text from a file made harmless: no control character reaches the terminal."""
    return "".join(c if c.isprintable() else "?" if c != "\n" else " " for c in text)


def short(name: str, width: int) -> str:
    """A name cut in the middle, so that its end (a level, a unit) stays."""
    name = clean(name)
    if len(name) <= width:
        return name
    head = (width - 1) // 2
    return f"{name[:head]}…{name[len(name) - (width - 1 - head) :]}"


def paragraph(text: str, indent: str = "  ", hang: str | None = None) -> list[str]:
    """Lines of at most 80 columns."""
    return wrap(
        clean(text),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if hang is None else hang,
        break_on_hyphens=False,
    )


def wavering(share_left: float) -> str:
    """How strong a regularization is, for someone who never heard of one."""
    if share_left > 0.9:
        return "light"
    return "moderate" if share_left > 0.5 else "strong"
