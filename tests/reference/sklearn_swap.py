"""A pytest plugin: scikit-learn's own ridge tests, with elltwo's classes under scikit-learn's names.

Names are swapped before the test module is imported, so that parametrize lists see ours. Each test that
constructs one of our classes, or calls our function, is counted; the counts are written to the file named
by the environment variable ELLTWO_SWAP_COUNTS. Run it as

    pytest -p sklearn_swap --pyargs sklearn.linear_model.tests.test_ridge

with this folder on the path.
"""

from __future__ import annotations

import inspect
import json
import os
import re
from typing import Any

import pytest
import sklearn.linear_model as linear_model

from elltwo.estimators.ridge import Ridge, ridge_regression
from elltwo.estimators.ridge_classifier import RidgeClassifier
from elltwo.estimators.ridge_classifier_cv import RidgeClassifierCV
from elltwo.estimators.ridge_cv import RidgeCV

_reached: set[str] = set()
_now = {"test": ""}
_skipped: list[str] = []
outcomes: dict[str, str] = {}


def _reach() -> None:
    if _now["test"]:
        _reached.add(_now["test"])


def _counting(cls: type) -> type:
    """The class itself, whose ``fit`` notes which test asked for it."""
    fit = cls.fit

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        _reach()
        return fit(self, *args, **kwargs)

    counted.__signature__ = inspect.signature(fit)  # type: ignore[attr-defined]  # metadata routing reads it
    cls.fit = counted
    return cls


def _function(*args: Any, **kwargs: Any) -> Any:
    _reach()
    return ridge_regression(*args, **kwargs)


for _cls in (Ridge, RidgeCV, RidgeClassifier, RidgeClassifierCV):
    setattr(linear_model, _cls.__name__, _counting(_cls))
linear_model.ridge_regression = _function

# A pattern of the test's name, and why it does not concern us. Everything else must pass.
SKIP: dict[str, str] = {
    r"test_ridge_regression\[.*-saga?\]": "asserts solver_ == 'sag'; ours names the exact solver that was run",
    r"test_n_iter$": "asserts the iteration counts of sag and saga, which are answered exactly instead",
    r"test_ridge_fit_intercept_sparse_sag": "asserts a warning that sag needs many iterations; none are needed",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for piece, reason in SKIP.items():
            if re.search(piece, item.nodeid):
                item.add_marker(pytest.mark.skip(reason=f"elltwo: {reason}"))
                _skipped.append(item.nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _now["test"] = item.nodeid


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        outcomes[report.nodeid] = "xfailed" if hasattr(report, "wasxfail") else report.outcome


def pytest_sessionfinish() -> None:
    where = os.environ.get("ELLTWO_SWAP_COUNTS")
    if not where:
        return
    reached = {name: outcomes.get(name, "unknown") for name in sorted(_reached)}
    counts = {
        kind: sum(v == kind for v in reached.values()) for kind in ("passed", "failed", "skipped", "xfailed")
    }
    others = [n for n, o in outcomes.items() if o == "failed" and n not in _reached]
    with open(where, "w", encoding="utf-8") as file:
        json.dump({"reached": counts, "failed_elsewhere": others, "skipped_by_us": _skipped}, file)
