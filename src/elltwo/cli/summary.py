"""What ``elltwo fit`` prints: for a person who never heard of λ, in 80 columns."""

from __future__ import annotations

import math

import numpy as np

from elltwo.cli.building import output_name
from elltwo.cli.console import bold
from elltwo.cli.fitting import Fitted
from elltwo.cli.reports import right_classes
from elltwo.cli.words import figure, paragraph, percent, rule_words, short, together, wavering

MOST_COLUMNS = 12
MOST_CHANGES = 3
MOST_FINDINGS = 6
UNMEASURED = "Not measured: the moments have one fold, so that no rows can be held out."
WITHIN = ", a difference smaller than the uncertainty of either"


def summary(fitted: Fitted) -> str:
    """The whole result as text."""
    blocks = []
    plan = fitted.loaded.plan
    for t in range(fitted.solution.coef.shape[1]):
        name = output_name(fitted, t)
        title = f" of {name}" if fitted.solution.coef.shape[1] > 1 else ""
        if plan.task != "classify":
            blocks += [_accuracy(fitted, t, title)]
        elif t == 0:
            blocks += [_classes(fitted)]
        blocks += [_strength(fitted, t, title), _changes(fitted, t, title), _columns(fitted, t, title)]
    return "\n\n".join("\n".join(block) for block in [*blocks, _beware(fitted)] if block)


def _row(label: str, value: str, remark: str = "") -> str:
    return f"  {label:<28} {value:>12}   {remark}".rstrip()


def _accuracy(fitted: Fitted, t: int, title: str) -> list[str]:
    if not fitted.parts:
        return [bold(f"HOW WELL IT PREDICTS{title}"), *paragraph(UNMEASURED)]
    e = fitted.errors
    target = short(fitted.loaded.plan.targets[t].name, 22)
    explained = 1 - (e.fitted[t] / e.mean[t]) ** 2 if e.mean[t] > 0 else math.nan
    lines = [
        bold(f"HOW WELL IT PREDICTS{title}"),
        _row(
            "typical error (RMSE)", figure(e.fitted[t]), f"± {figure(e.spread[t], 2)}, in units of {target}"
        ),
        _row("  without regularization", figure(e.plain[t])),
        _row("  always saying the mean", figure(e.mean[t])),
        _row("share explained (R²)", percent(explained)),
    ]
    return [*lines, *paragraph(_measured(fitted))]


def _measured(fitted: Fitted) -> str:
    """How the error was measured, in one sentence."""
    if fitted.worth is None:
        measured = f"Measured on rows held out of the fit, one of {fitted.parts} parts after the other"
        same = "; the strength was chosen on the same parts, so the first number is slightly too good"
        return f"{measured}{same if fitted.selection is not None else ''}."
    return (
        f"Measured on rows held out of everything: {fitted.parts} times, one part of the rows was set aside, "
        "the strength chosen and the fit made on the rest."
    )


def _classes(fitted: Fitted) -> list[str]:
    """Shares of held-out rows whose class was predicted right."""
    found = right_classes(fitted)
    assert found is not None
    return [
        bold("HOW WELL IT PREDICTS"),
        _row("right on held-out rows", percent(found.right)),
        _row("  without regularization", percent(found.right_none)),
        _row("  always the commonest class", percent(found.right_commonest)),
        *paragraph(
            "Measured on rows held out of everything: the choice of the strength and the fit. "
            f"The score is a least-squares fit of ±1; above 0 means {found.positive}."
            if len(found.names) == 2
            else "Measured on rows held out of everything: the choice of the strength and the fit. "
            "The class with the largest score wins."
        ),
    ]


def _strength(fitted: Fitted, t: int, title: str) -> list[str]:
    solution, plain, asked = fitted.solution, fitted.plain, fitted.asked
    alpha = float(solution.alpha[t])
    left = _share(solution.df[t] - 1, plain.df[t] - 1)
    how = "as given" if fitted.selection is None else f"chosen by {rule_words(fitted.selection.rule)}"
    lines = [bold(f"HOW STRONG THE REGULARIZATION IS{title}")]
    lines += paragraph(f"λ = {figure(alpha)}, {how}: {wavering(left)}.")
    where = "standardized columns" if asked.standardize else "the columns as they are"
    lines += paragraph(
        f"λ is the price of large coefficients: λ times the sum of their squares ({where}) is added to the "
        "sum of squared errors. 0 is no price; the larger, the closer to predicting the mean."
    )
    lines.append(
        _row("coefficients shrunk to", percent(_share(solution.norm[t], plain.norm[t])), "of their length")
    )
    freedom = f"of {figure(plain.df[t])} (degrees of freedom)"
    lines.append(_row("freely adjustable numbers", figure(solution.df[t]), freedom))
    return lines + _elsewhere(fitted, t, alpha)


def _elsewhere(fitted: Fitted, t: int, alpha: float) -> list[str]:
    """The same strength as other programs call it."""
    from elltwo.laws.converting import conversion
    from elltwo.laws.setting import Setting

    standardized = fitted.asked.standardize
    ridge = f"{'StandardScaler + ' if standardized else ''}Ridge(alpha={alpha:.6g})"
    ridge = ridge if math.isfinite(alpha) else "DummyRegressor(), the mean alone"
    lines = [f"  {'in scikit-learn':<28} {ridge}"]
    if fitted.loaded.plan.task == "classify" or not math.isfinite(alpha):
        return lines
    source, target = ("fastridge", "glmnet") if standardized else ("total", "glmnet(standardize=FALSE)")
    setting = Setting.read(n=fitted.weight, sd_y=float(fitted.sd_y[t]))
    value = conversion(alpha, source, target, setting).value
    option = "" if standardized else ", standardize=FALSE"
    return [*lines, f"  {'in R':<28} glmnet(alpha=0, lambda={value:.6g}{option})"]


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 1.0


def _changes(fitted: Fitted, t: int, title: str) -> list[str]:
    """The error, and the coefficients that moved most, against no regularization."""
    e = fitted.errors
    lines = [bold(f"WHAT CHANGED AGAINST NO REGULARIZATION{title}")]
    if fitted.loaded.plan.task != "classify":
        gain = 1 - _share(e.fitted[t], e.plain[t])
        word = "smaller" if gain >= 0 else "larger"
        same = abs(e.plain[t] - e.fitted[t]) <= 1e-3 * e.fitted[t]
        text = "is the same" if same else f"is {percent(abs(gain))} {word}"
        small = not same and abs(e.plain[t] - e.fitted[t]) < e.spread[t]
        lines += paragraph(f"The error on held-out rows {text}{WITHIN if small else ''}.")
    old, new = fitted.plain.coef[:, t] * fitted.scales, fitted.solution.coef[:, t] * fitted.scales
    largest = np.argsort(-np.abs(old - new))[:MOST_CHANGES]
    order = [j for j in largest if abs(old[j] - new[j]) > 1e-3 * np.abs(old).max()]
    if not order:
        return [*lines, *paragraph("No coefficient changed by much.")]
    lines += paragraph("Effect of one standard deviation more of a column, before and after:")
    names = fitted.loaded.plan.feature_names
    return lines + [f"    {short(names[j], 36):<36} {figure(old[j]):>12} -> {figure(new[j])}" for j in order]


def _columns(fitted: Fitted, t: int, title: str) -> list[str]:
    """Features by size of effect, with intervals; those that may well be nothing in one line."""
    names, scales = fitted.loaded.plan.feature_names, fitted.scales
    effect = fitted.solution.coef[:, t] * scales
    lines = [bold(f"WHICH COLUMNS MATTER{title}")]
    order = np.argsort(-np.abs(effect), kind="stable")
    if fitted.lower is None or fitted.upper is None:
        lines += paragraph(
            "Effect of one standard deviation more (no intervals: too many columns or no noise)."
        )
        lines += [f"    {short(names[j], 40):<40} {figure(effect[j]):>12}" for j in order[:MOST_COLUMNS]]
        return lines + _rest(len(order) - MOST_COLUMNS)
    low, high = fitted.lower[:, t] * scales, fitted.upper[:, t] * scales
    sure = [j for j in order if low[j] > 0 or high[j] < 0]
    lines += paragraph("Effect of one standard deviation more, and where it lies with 95 % probability:")
    top = np.abs(effect).max(initial=0.0)
    for j in sure[:MOST_COLUMNS]:
        bar = "█" * max(1, round(8 * abs(effect[j]) / top))
        middle, low_end, high_end = together(effect[j], low[j], high[j])
        lines.append(
            f"    {short(names[j], 28):<28} {middle:>10}   {f'{low_end} to {high_end}':<22} {bar}".rstrip()
        )
    lines += _rest(len(sure) - MOST_COLUMNS)
    unsure = [names[j] for j in order if not (low[j] > 0 or high[j] < 0)]
    if unsure:
        shown = ", ".join(short(n, 24) for n in unsure[:MOST_COLUMNS])
        more = f" and {len(unsure) - MOST_COLUMNS} more" if len(unsure) > MOST_COLUMNS else ""
        lines += paragraph(f"May well be 0: {shown}{more}.")
    return lines


def _rest(count: int) -> list[str]:
    return [f"    and {count} more (all are in the model file and the report)"] if count > 0 else []


def _beware(fitted: Fitted) -> list[str]:
    """Findings and notes, most severe first."""
    lines = [bold("BEWARE")]
    for finding in fitted.findings[:MOST_FINDINGS]:
        mark = {"error": "!!", "warning": "! ", "info": "- "}[finding.severity]
        lines += paragraph(f"{mark} {finding.sentence} {finding.remedy}", "  ", "     ")
    hidden = len(fitted.findings) - MOST_FINDINGS
    if hidden > 0:
        lines.append(f"  -  and {hidden} more in the report")
    for note in fitted.loaded.notes[:MOST_FINDINGS]:
        lines += paragraph(f"-  {note}.", "  ", "     ")
    return lines if len(lines) > 1 else []
