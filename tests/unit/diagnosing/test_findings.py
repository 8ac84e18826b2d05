"""Every finding is provoked by a table that deserves it, and stays silent on one that does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from elltwo.diagnosing import CHECKS, diagnose
from elltwo.diagnosing.catalogue import as_markdown
from elltwo.factoring import factor
from elltwo.facts.problem import Penalty, Problem
from elltwo.selecting import select
from elltwo.shrinking import shrink

STANDARD = Penalty(standardize=True)
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "findings.md"


def table(seed=0, n=80, p=5, noise=1.0):
    """Independent columns of spread one, the target the sum of the first two and noise."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, p))
    return A, A[:, 0] + A[:, 1] + noise * rng.normal(size=n)


def findings(A, b, alpha=None, weights=None, penalty=STANDARD, rule="loo", alphas=None, method="auto"):
    """Codes and findings of one fit."""
    r = factor(Problem(np.asarray(A, dtype=float), np.reshape(b, (-1, 1)), weights, True, penalty), method)
    chosen = None if alpha is not None else select(r, rule, alphas=alphas)
    solution = shrink(r, alpha if chosen is None else chosen.alpha)
    return {
        f.code: f for f in diagnose(r, solution, chosen, names=[f"c{j}" for j in range(r.spectrum.shape[1])])
    }


def healthy():
    A, b = table()
    return findings(A, b)


def edge_of_grid():
    A, b = table()
    return findings(A, b, alphas=np.array([1e4, 1e5]))


def no_signal():
    """What no column can say anything about: the part of b outside their span."""
    A, b = table(n=200)
    A = A - A.mean(axis=0)
    return findings(A, b - A @ (np.linalg.pinv(A) @ b))


def no_penalty():
    A, _ = table(n=400)
    return findings(A, A @ np.arange(1.0, 6.0), rule="gcv", alphas=np.array([0.0, 1.0, 10.0]))


def rules_disagree():
    A, b = table()
    r = factor(Problem(A, b[:, None], None, True, STANDARD))
    chosen = select(r, "loo")
    moved = replace(chosen, choices={**chosen.choices, "evidence": np.array([1e5])})
    return {f.code: f for f in diagnose(r, shrink(r, chosen.alpha), moved)}


def flat_choice():
    A, b = table(n=500, noise=5.0)
    return findings(A, b)


def constant_columns():
    A, b = table()
    A[:, 3] = 7.0
    return findings(A, b)


def collinear_pairs():
    A, b = table()
    A[:, 4] = 10 * A[:, 0] + 0.2 * A[:, 4] + 3
    return findings(A, b)


def variance_inflation():
    A, b = table()
    A[:, 4] = A[:, :4].sum(axis=1) + 0.1 * A[:, 4]
    return findings(A, b)


def dependent_columns():
    A, b = table()
    A[:, 4] = A[:, 0] - A[:, 1]
    return findings(A, b)


def unequal_units():
    A, b = table()
    return findings(A * [1, 1, 1, 1, 1e5], b, penalty=Penalty())


def heavy_shrinkage():
    A, b = table()
    return findings(A * [1e-3, 1, 1, 1, 1], b, alpha=10.0, penalty=Penalty())


def few_digits():
    A, b = table()
    A[:, 4] = A[:, 0] + 1e-6 * A[:, 4]
    return findings(A, b, alpha=1e-12, method="gram")


def wide():
    A, b = table(n=20, p=40)
    return findings(A, b, alpha=1.0)


def interpolation():
    A, b = table(n=20, p=40)
    return findings(A, b, alpha=1e-12)


def free_block():
    A, b = table()
    A[:, 1] = A[:, 0] + 1e-7 * A[:, 1]
    return findings(A, b, alpha=1.0, penalty=Penalty(scale=np.array([0.0, 0.0, 1.0, 1.0, 1.0])))


def high_leverage():
    A, b = table()
    A[0, 0] = 60.0
    return findings(A, b, alpha=1.0)


def heavy_weights():
    A, b = table()
    w = np.ones(80)
    w[:3] = 1e4
    return findings(A, b, alpha=1.0, weights=w)


def far_rows():
    A, b = table()
    b[5] += 40.0
    return findings(A, b, alpha=1.0)


PROVOKED = {
    "edge-of-grid": edge_of_grid, "no-signal": no_signal, "no-penalty": no_penalty,
    "rules-disagree": rules_disagree, "flat-choice": flat_choice, "constant-columns": constant_columns,
    "collinear-pairs": collinear_pairs, "variance-inflation": variance_inflation, "unequal-units": unequal_units,
    "heavy-shrinkage": heavy_shrinkage, "few-digits": few_digits, "ill-conditioned": variance_inflation,
    "dependent-columns": dependent_columns, "more-columns-than-rows": wide, "interpolation": interpolation,
    "free-nearly-collinear": free_block, "high-leverage": high_leverage, "few-rows-dominate": heavy_weights,
    "far-rows": far_rows,
}  # fmt: skip


def test_every_code_of_the_catalogue_is_provoked_by_a_table_here():
    assert set(PROVOKED) == set(CHECKS)


@pytest.mark.parametrize("code", PROVOKED)
def test_the_finding_comes_out_with_a_sentence_and_a_remedy(code):
    if code == "ill-conditioned":
        A, b = table()
        A[:, 4] = A[:, :4].sum(axis=1) + 0.02 * A[:, 4]
        out = findings(A, b)
    else:
        out = PROVOKED[code]()
    finding = out[code]
    assert finding.sentence.endswith(".")
    assert finding.remedy.endswith(".")
    assert finding.severity in CHECKS[code].severity


def test_a_healthy_table_has_nothing_to_beware_of():
    assert {f.severity for f in healthy().values()} <= {"info"}
    assert set(healthy()) <= {"flat-choice"}


def test_the_named_columns_are_the_guilty_ones():
    assert "c0 and c4" in collinear_pairs()["collinear-pairs"].sentence
    assert all(c in dependent_columns()["dependent-columns"].sentence for c in ("c0", "c1", "c4"))
    assert "c3" in constant_columns()["constant-columns"].sentence
    assert "c0" in heavy_shrinkage()["heavy-shrinkage"].sentence
    assert "c4 varies" in unequal_units()["unequal-units"].sentence
    assert "data row 1 " in high_leverage()["high-leverage"].sentence
    assert "data row 6," in far_rows()["far-rows"].sentence


def test_a_category_encoded_in_full_is_no_dependence_but_a_copied_column_beside_it_is():
    A, b = table(n=90)
    levels = np.hstack([np.eye(3)[np.arange(90) % 3], np.eye(2)[np.arange(90) % 2]])
    names = ["a", "b", "c", "d", "e", "kind=x", "kind=y", "kind=z", "side=left", "side=right"]
    for copied, expected in ((False, set()), (True, {"dependent-columns"})):
        X = np.hstack([A, levels])
        X[:, 4] = X[:, 0] - X[:, 1] if copied else X[:, 4]
        r = factor(Problem(X, b[:, None], None, True, STANDARD))
        out = {f.code: f for f in diagnose(r, shrink(r, 1.0), names=names)}
        assert set(out) & {"dependent-columns", "ill-conditioned"} == expected
        assert not any("=" in f.sentence.replace("λ =", "") for f in out.values())


def test_standardization_answers_the_finding_about_units():
    A, b = table()
    assert "unequal-units" not in findings(A * [1, 1, 1, 1, 1e5], b, penalty=STANDARD)


def test_findings_come_most_severe_first():
    order = {"error": 0, "warning": 1, "info": 2}
    severities = [order[f.severity] for f in heavy_weights().values()]
    assert severities == sorted(severities)


def test_the_reference_page_lists_exactly_what_the_program_can_say():
    assert as_markdown() in PAGE.read_text(encoding="utf-8")
