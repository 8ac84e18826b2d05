"""What an existing optimizer does to an existing model, as findings. For a test: ``assert_clean``."""

from elltwo.decay.auditing.verdict import Audit, assert_clean, audit

__all__ = ["Audit", "assert_clean", "audit"]
