"""Tables on disk for the tests of streams, and comparison to the bit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from elltwo.tables.moments.mixed import MixedMoments


def frame(n: int = 800, seed: int = 0, missing: float = 0.08, offset: float = 10.0) -> pd.DataFrame:
    """Four numbers (x0 complete), two categories and a target."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 4)) @ rng.standard_normal((4, 4)) + offset
    c, e = rng.choice(list("pqrs"), n), rng.choice([f"z{i}" for i in range(9)], n)
    y = X @ [1.0, -2.0, 0.5, 0.0] + (c == "p") + rng.standard_normal(n)
    X[rng.random((n, 4)) < missing * np.array([0, 1, 1, 1])] = np.nan
    table = pd.DataFrame(X, columns=["x0", "x1", "x2", "x3"])
    table["c"] = np.where(rng.random(n) < missing, None, c)
    table["e"] = e
    table["y"] = y
    return table


def same_bits(a: MixedMoments, b: MixedMoments) -> None:
    """Every array equal, not merely close."""
    assert a.levels == b.levels
    assert (a.numeric, a.categories, a.flagged) == (b.numeric, b.categories, b.flagged)
    np.testing.assert_array_equal(a.rows, b.rows)
    np.testing.assert_array_equal(a.shift, b.shift)
    np.testing.assert_array_equal(a.dense, b.dense)
    for x, y in zip(a.sums, b.sums, strict=True):
        np.testing.assert_array_equal(x, y)
    for pair, table in a.cross.items():
        np.testing.assert_array_equal(table, b.cross[pair])
