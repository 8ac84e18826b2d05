"""What one check is: a code, what it means, and the function that looks."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from elltwo.diagnosing.view import View
from elltwo.facts.finding import Finding, Severity


@dataclass(frozen=True)
class Check:
    """One thing that is looked for.

    Attributes
    ----------
    code : stable short name of the finding.
    means : what it says, for the reference page.
    number : what is measured.
    threshold : the value it is compared with, in words; "" where a fact is simply stated.
    severity : the severities that can come out.
    look : View → findings (none, one or several).
    """

    code: str
    means: str
    number: str
    threshold: str
    severity: str
    look: Callable[[View], list[Finding]]


def found(
    code: str, severity: Severity, number: float | None, threshold: float | None, sentence: str, remedy: str
) -> list[Finding]:
    """A list of one Finding."""
    return [
        Finding(
            code,
            severity,
            None if number is None else float(number),
            None if threshold is None else float(threshold),
            sentence,
            remedy,
        )
    ]


def number(x: float) -> str:
    """Three digits, for a sentence."""
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    if x == 0 or 1e-5 <= abs(x) < 1e6:
        decimals = 0 if x == 0 else max(2 - math.floor(math.log10(abs(x))), 0)
        text = f"{x:,.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{x:.1e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
