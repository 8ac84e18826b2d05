"""The report as JSON text, exact both ways."""

from __future__ import annotations

import json
from typing import Any

from elltwo.errors import DataError


def to_json(report: dict[str, Any], indent: int | None = None) -> str:
    """JSON text; every float is restored exactly, and nothing that JSON does not know can be inside."""
    return json.dumps(report, ensure_ascii=False, allow_nan=False, indent=indent)


def from_json(text: str | bytes) -> dict[str, Any]:
    """A report from its JSON text.

    Raises
    ------
    DataError : the text is not JSON, or not a report of this version.
    """
    try:
        report = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"this is not a report in JSON: {error}") from None
    if not isinstance(report, dict) or report.get("kind") != "elltwo-report" or report.get("version") != 1:
        raise DataError("this JSON is not an elltwo report of version 1: make it again with `elltwo report`")
    return report
