"""Problem → Spectrum: factor once; every λ is then a shrink factor per direction."""

from elltwo.factoring.choose import Route, choose, factor
from elltwo.factoring.gram import factor_moments
from elltwo.factoring.rotate import rotate

__all__ = ["Route", "choose", "factor", "factor_moments", "rotate"]
