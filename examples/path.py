"""Coefficients over every λ, and the λ that leave-one-out chose, in one picture.

Run ``python examples/path.py picture.png`` to draw it.
"""

from __future__ import annotations

import sys

from sklearn.datasets import load_diabetes

import elltwo


def main(picture: str | None = None) -> elltwo.RidgeCV:
    """Fit, print one sentence, draw."""
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    model = elltwo.RidgeCV(alphas="auto", standardize=True).fit(X, y)
    print(model.selection_.sentence)
    if picture:
        model.plot_path().savefig(picture, dpi=150)
    return model


if __name__ == "__main__":
    main(*sys.argv[1:2])
