"""Facts of a fit in, findings out: each with a code, a number, its threshold and a remedy."""

from elltwo.diagnosing.catalogue import CHECKS
from elltwo.diagnosing.diagnose import diagnose, diagnose_targets, look
from elltwo.diagnosing.rows import seen_rows
from elltwo.diagnosing.view import View

__all__ = ["CHECKS", "View", "diagnose", "diagnose_targets", "look", "seen_rows"]
