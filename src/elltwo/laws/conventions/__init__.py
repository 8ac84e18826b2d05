"""The one dictionary of lambda conventions: what each program's number multiplies, both ways.

Canonical ("total"):   sum_i s_i (y_i - b - x_i'w)^2 + lambda ||w||^2,  b free.
For a likelihood:      sum_i s_i loss_i + lambda/2 ||w||^2  (the squared error is twice the Gaussian loss).

Every row says how a value becomes that lambda and back, in which columns its ||w|| is measured, which
loss stands beside it, what happens to the intercept, and how the formula was checked. A new convention
is one row in one of the lists; ``docs/reference/conventions.md`` is printed from them.
"""

from __future__ import annotations

from elltwo.laws.conventions.general import ROWS as GENERAL
from elltwo.laws.conventions.other_rows import GLMNET, NETWORKS, SCALED
from elltwo.laws.conventions.python_rows import LEAST_SQUARES, LIKELIHOODS
from elltwo.laws.conventions.row import Convention, Formula

CONVENTIONS: dict[str, Convention] = {
    row.name: row for row in (*GENERAL, *LEAST_SQUARES, *LIKELIHOODS, *GLMNET, *SCALED, *NETWORKS)
}

__all__ = ["CONVENTIONS", "Convention", "Formula"]
