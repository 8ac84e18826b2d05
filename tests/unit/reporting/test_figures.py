"""Figures: drawn from the dict alone, in one look, without touching the reader's pyplot, and without overlaps."""

from __future__ import annotations

import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.text import Text

from elltwo.errors import UsageError
from elltwo.factoring import factor
from elltwo.reporting import figures
from elltwo.reporting.figures.axes import spread
from elltwo.reporting.figures.directions import route
from elltwo.reporting.words import distinct, nums, short
from elltwo.selecting import select
from elltwo.shrinking import shrink
from problems import random_problem
from report_cases import diabetes, odd_shapes, spectra


def texts_of(figure):
    """What is written and where: labels, legends, notes, and the ticks inside the limits."""
    figure.draw_without_rendering()
    ax = figure.axes[0]
    texts = [*ax.texts, ax.xaxis.label, ax.yaxis.label, *(t for x in figure.legends for t in x.get_texts())]
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        ticks = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
        texts += [label for tick in ticks for label in (tick.label1, tick.label2) if label.get_visible()]
    return [
        (t.get_text(), Text.get_window_extent(t)) for t in texts if t.get_text().strip()
    ]  # without leaders


@pytest.mark.parametrize("name", figures.FIGURES)
@pytest.mark.parametrize("case", [diabetes, spectra])
def test_no_two_texts_overlap_and_none_leaves_the_figure(name, case):
    figure = figures.FIGURES[name](case())
    boxes = texts_of(figure)
    width, height = figure.get_size_inches() * figure.dpi
    for i, (text, box) in enumerate(boxes):
        assert box.x0 > -2 and box.x1 < width + 2 and box.y0 > -2 and box.y1 < height + 2, text  # noqa: PT018 one claim
        for other, there in boxes[i + 1 :]:
            across = min(box.x1, there.x1) - max(box.x0, there.x0)
            along = min(box.y1, there.y1) - max(box.y0, there.y0)
            assert across < 1 or along < 2.5, (text, other)


@pytest.mark.parametrize("name", figures.FIGURES)
def test_every_odd_shape_can_be_drawn(name):
    for case in ("infinity", "zero", "interpolating", "one column", "constant target", "three rows"):
        figures.FIGURES[name](odd_shapes()[case]()).draw_without_rendering()


def test_drawing_opens_no_pyplot_figure_and_leaves_settings_alone():
    with matplotlib.rc_context({"font.size": 21.0, "axes.facecolor": "black"}):
        before = dict(matplotlib.rcParams)
        figure = figures.path(diabetes())
        assert dict(matplotlib.rcParams) == before
    assert figure.axes[0].xaxis.label.get_fontsize() < 12
    if "matplotlib.pyplot" in sys.modules:
        assert not sys.modules["matplotlib.pyplot"].get_fignums()


def test_a_figure_from_facts_is_the_one_of_the_report():
    problem = random_problem(t=1)
    r = factor(problem)
    chosen = select(r, "loo")
    figure = figures.draw(
        "path", rotated=r, selection=chosen, solution=shrink(r, chosen.alpha), names=list("abcdef")
    )
    lines = {line.get_gid(): line for line in figure.axes[0].lines if line.get_gid()}
    from elltwo.shrinking import path

    alphas = lines["column-0"].get_xdata()
    X = problem.A - np.average(problem.A, axis=0, weights=problem.weights)
    sd = np.sqrt(np.average(X**2, axis=0, weights=problem.weights))
    np.testing.assert_allclose(
        lines["column-0"].get_ydata(), path(r, alphas).coef[:, 0, 0] * sd[0], rtol=1e-9
    )


def test_an_unknown_figure_is_refused_with_the_known_ones():
    r = factor(random_problem(t=1))
    with pytest.raises(UsageError, match="'path'"):
        figures.draw("pathos", rotated=r, solution=shrink(r, 1.0))


def test_the_contour_through_the_answer_touches_the_ball():
    g = diabetes()["geometry"]
    s, centre, y = nums(g["s"]), nums(g["centre"]), nums(g["chosen"])
    normal = s**2 * (y - centre)  # gradient of the squared error: along −y where the two curves touch
    assert normal @ y == pytest.approx(-np.linalg.norm(normal) * np.linalg.norm(y), rel=1e-12)
    np.testing.assert_allclose(route(s, nums(g["z"]))[:, 0], centre)


def test_labels_keep_their_order_and_their_distance():
    wanted = np.array([5.0, 5.1, 90.0, 5.05, 99.0])
    placed = spread(wanted, 11.0, 0.0, 100.0)
    assert np.all(np.diff(placed[np.argsort(wanted)]) >= 11.0 - 1e-9)
    assert placed.min() >= -1e-9
    assert placed.max() <= 100 + 1e-9


def test_short_names_stay_apart():
    names = [f"measurement_{i}_of_sensor_left" for i in range(60)]
    assert len(set(distinct(names, 14))) == 60
    assert max(map(len, distinct(names, 14))) <= 14
    assert short("a" * 30 + "z") == "aaaaaaaa…" + "a" * 8 + "z"


def test_a_figure_saved_by_hand_is_white_and_the_same_figure_in_a_page_is_transparent():
    import io

    from matplotlib.image import imread

    from elltwo.reporting.figures.svg import to_svg

    figure = figures.geometry(diabetes())
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    buffer.seek(0)
    np.testing.assert_allclose(imread(buffer)[0, 0, :3], 1.0)
    assert imread(io.BytesIO(buffer.getvalue()))[..., 3].min() == 1.0
    assert "#ffffff" not in to_svg(figure, "geometry", "t", "d")
