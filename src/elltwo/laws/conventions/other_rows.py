"""R (glmnet, MASS), MATLAB, SAS, NAG, Spark; and the networks: torch and Keras."""

from __future__ import annotations

from elltwo.laws.conventions.row import (
    BY_DOCS,
    BY_FORMULA,
    DEFINITION,
    FIXED_POINT,
    MEAN,
    MEAN_OVER_SD,
    NEVER,
    ONE,
    RECORDED,
    Convention,
    times,
)

FACTORS = "intercept=FALSE: sd(y) becomes the root mean square of y; penalty.factor f: times f·p/Σf"

GLMNET = [
    Convention(
        "glmnet",
        "RSS/(2Σs) + lambda/2 ‖w‖², with y and columns scaled to sd 1 before lambda is applied",
        "lambda · Σs / sd(y), on standardized columns",
        MEAN_OVER_SD,
        columns="sd",
        factors=True,
        needs=("n", "sd_y"),
        aliases=("R.glmnet", "glmnet(family='gaussian')", "glmstar"),
        note=FACTORS,
        checked=FIXED_POINT,
    ),
    Convention(
        "glmnet(standardize=FALSE)",
        "RSS/(2Σs) + lambda/2 ‖w‖², with y scaled to sd 1 before lambda is applied",
        "lambda · Σs / sd(y)",
        MEAN_OVER_SD,
        factors=True,
        needs=("n", "sd_y"),
        note=FACTORS,
        checked=RECORDED,
    ),
    Convention(
        "glmnet(family=gaussian())",
        "RSS/(2Σs) + lambda/2 ‖w‖², columns scaled to sd 1, y as it is",
        "lambda · Σs, on standardized columns",
        MEAN,
        columns="sd",
        factors=True,
        needs=("n",),
        aliases=("glmnet(family='mgaussian')",),
        note="the family object, with parentheses, and mgaussian do not divide by sd(y)",
        checked=FIXED_POINT,
    ),
    Convention(
        "glmnet(family=gaussian(),standardize=FALSE)",
        "RSS/(2Σs) + lambda/2 ‖w‖², y as it is",
        "lambda · Σs",
        MEAN,
        factors=True,
        needs=("n",),
        aliases=("glmnet(family='mgaussian',standardize=FALSE)",),
        checked=FIXED_POINT,
    ),
    *[
        Convention(
            f"glmnet(family='{family}'{option})",
            f"mean {loss} loss + lambda/2 ‖w‖²{words}",
            f"lambda · Σs{where}",
            MEAN,
            columns=kind,
            loss=loss,
            factors=True,
            needs=("n",),
            checked=BY_DOCS,
        )
        for family, loss in (("binomial", "log"), ("poisson", "poisson"))
        for option, kind, words, where in (
            ("", "sd", ", columns scaled to sd 1", ", on standardized columns"),
            (",standardize=FALSE", "raw", "", ""),
        )
    ],
]

SCALED = [
    Convention(
        "MASS.lm.ridge",
        "RSS + lambda Σ sdⱼ² wⱼ²",
        "lambda, on standardized columns",
        ONE,
        columns="rms",
        aliases=("MASS", "lm.ridge"),
        checked=FIXED_POINT,
    ),
    Convention(
        "MATLAB.ridge",
        "RSS + k Σ var(xⱼ) wⱼ², var with 1/(n−1)",
        "k · n/(n−1), on standardized columns",
        times(lambda g: g.rows / (g.rows - 1)),
        columns="sd",
        needs=("n",),
        aliases=("Octave.ridge",),
        checked=BY_FORMULA,
    ),
    Convention(
        "SAS.REG",
        "RSS + k ‖w‖² in terms of columns of unit length (correlation form)",
        "k · n, on standardized columns",
        times(lambda g: g.rows),
        columns="sd",
        needs=("n",),
        aliases=("NAG.g02kb", "NAG.g02ka", "SAS", "NAG", "correlation_form"),
        note="RIDGE=k of PROC REG; h of NAG g02ka and g02kb",
        checked=BY_FORMULA,
    ),
    Convention(
        "Spark.LinearRegression",
        "RSS/(2Σs) + regParam/2 ‖w‖², y and columns scaled to sd 1",
        "regParam · Σs / sd(y), on standardized columns",
        MEAN_OVER_SD,
        columns="sd",
        needs=("n", "sd_y"),
        note="solver normal (up to 4096 columns); l-bfgs uses the sd with 1/(n−1)",
        checked=BY_DOCS,
    ),
    Convention(
        "Spark.LinearRegression(standardization=False)",
        "RSS/(2Σs) + regParam/2 ‖w‖², y scaled to sd 1",
        "regParam · Σs / sd(y)",
        MEAN_OVER_SD,
        needs=("n", "sd_y"),
        note="solver normal (up to 4096 columns); l-bfgs uses the sd with 1/(n−1)",
        checked=BY_DOCS,
    ),
]

NETWORKS = [
    Convention(
        "torch.weight_decay(MSELoss)",
        "mean squared error + weight_decay/2 ‖w‖²",
        "weight_decay · n/2",
        times(lambda g: g.total_weight / 2),
        needs=("n",),
        aliases=("torch.weight_decay", "torch.SGD", "torch.SGD(MSELoss)"),
        note="SGD, or Adam's coupled weight_decay where it stands still; biases decay unless their group has 0",
        checked="1e-9, descent run to its end",
    ),
    Convention(
        "torch.weight_decay(CrossEntropyLoss)",
        "mean log-loss + weight_decay/2 ‖w‖²",
        "weight_decay · n",
        MEAN,
        loss="log",
        needs=("n",),
        checked="1e-9, its gradient at scikit-learn's solution",
    ),
    Convention(
        "torch.AdamW",
        "none",
        "—",
        NEVER,
        loss="any",
        aliases=("AdamW",),
        refusal="AdamW minimises no fixed objective: where it settles depends on its adaptive steps, so its "
        "weight_decay has no equivalent λ; convert from SGD's weight_decay, or measure it (elltwo.decay)",
        checked="—",
    ),
    Convention(
        "Keras.L2",
        "mean squared error + l ‖w‖²",
        "l · n",
        MEAN,
        needs=("n",),
        aliases=("keras",),
        checked=DEFINITION,
    ),
]
