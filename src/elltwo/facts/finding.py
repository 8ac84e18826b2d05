"""A finding: something a person should know, with its number, its threshold and its remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One observation that asks for attention.

    Attributes
    ----------
    code : stable short name, e.g. ``"edge-of-grid"``; documented, safe to filter on.
    severity : ``"info"``, ``"warning"`` or ``"error"``.
    number : the measured value, if there is one.
    threshold : the value it was compared with.
    sentence : what was seen, in one sentence.
    remedy : what to do, in one sentence.
    """

    code: str
    severity: Severity
    number: float | None
    threshold: float | None
    sentence: str
    remedy: str
