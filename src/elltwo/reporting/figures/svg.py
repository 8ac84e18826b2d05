"""A matplotlib Figure as SVG for a page: no style attributes (the page's policy forbids them), colours as classes.

Every colour of the palette becomes a class (``f-accent`` fills, ``s-accent`` strokes) whose value the style sheet
gives for light, dark and print; ids are prefixed so that several figures live in one page; the axes' place and
limits travel along as data, so that a script can put marks where they belong.
"""

from __future__ import annotations

import io
import json
import re
from typing import Any
from xml.etree import ElementTree

from elltwo.reporting.figures.style import PALETTE, look

SVG = "http://www.w3.org/2000/svg"
HREF = "{http://www.w3.org/1999/xlink}href"
NAMES = {value: name for name, value in PALETTE.items()}
KEPT = {
    "fill-opacity", "stroke-opacity", "opacity", "stroke-width", "stroke-linejoin", "stroke-linecap",
    "stroke-miterlimit", "stroke-dasharray", "stroke-dashoffset", "text-anchor",
}  # fmt: skip


def to_svg(figure: Any, name: str, title: str, description: str) -> str:
    """SVG text of a figure, named for screen readers.

    Parameters
    ----------
    figure : matplotlib Figure.
    name : prefix of all ids, unique in the page.
    title, description : what it is, and what it shows, in sentences.
    """
    buffer = io.BytesIO()
    with look():
        figure.savefig(buffer, format="svg", facecolor="none", metadata={"Date": None, "Creator": None})
        place = _map(figure)
    root = ElementTree.fromstring(buffer.getvalue())
    _strip(root)
    for element in list(root.iter()):
        _dress(element, name)
    box = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update(
        {
            "viewBox": box, "class": "figure", "role": "img", "id": f"{name}-figure", "data-map": json.dumps(place),
            "aria-labelledby": f"{name}-title {name}-desc", "stroke-linejoin": "round", "stroke-linecap": "butt",
        }
    )  # fmt: skip
    for position, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{{{SVG}}}{tag}", {"id": f"{name}-{tag}"})
        element.text = text
        root.insert(position, element)
    ElementTree.register_namespace("", SVG)
    return ElementTree.tostring(root, encoding="unicode")


def _map(figure: Any) -> dict[str, Any]:
    """Where the axes are in the SVG's own units, and their limits: x [left, right, low, high, log], y likewise."""
    ax = figure.axes[0]
    width, height = figure.get_size_inches() * 72
    box = ax.get_position()
    return {
        "x": [box.x0 * width, box.x1 * width, *map(float, ax.get_xlim()), ax.get_xscale() == "log"],
        "y": [
            (1 - box.y0) * height,
            (1 - box.y1) * height,
            *map(float, ax.get_ylim()),
            ax.get_yscale() == "log",
        ],
    }


def _strip(root: ElementTree.Element) -> None:
    """Without metadata, style sheets and the empty backgrounds."""
    for parent in list(root.iter()):
        for child in list(parent):
            tag = child.tag.rsplit("}", 1)[-1]
            if tag in ("metadata", "style") or (tag == "defs" and not _wanted(child)):
                parent.remove(child)


def _wanted(defs: ElementTree.Element) -> bool:
    return any(child.tag.rsplit("}", 1)[-1] != "style" for child in defs)


def _dress(element: ElementTree.Element, name: str) -> None:
    """Style into attributes and classes; ids and references with the prefix; coordinates to a hundredth."""
    style = element.attrib.pop("style", "")
    classes = []
    for part in filter(None, (p.strip() for p in style.split(";"))):
        key, _, value = (t.strip() for t in part.partition(":"))
        classes += _property(element, key, value)
    if classes:
        element.set("class", " ".join(classes))
    if "id" in element.attrib:
        element.set("id", f"{name}-{element.get('id')}")
    link = element.attrib.pop(HREF, None)
    if link:
        element.set("href", f"#{name}-{link[1:]}")
    if "clip-path" in element.attrib:
        element.set("clip-path", element.get("clip-path", "").replace("url(#", f"url(#{name}-"))
    if "d" in element.attrib:
        element.set("d", re.sub(r"-?\d+\.\d+", lambda m: f"{float(m.group()):.2f}", element.get("d", "")))


def _property(element: ElementTree.Element, key: str, value: str) -> list[str]:
    """One declaration: a class for a palette colour, an attribute for what the figure needs, else nothing."""
    if key in ("fill", "stroke"):
        if value in NAMES:
            return [f"{key[0]}-{NAMES[value]}"]
        element.set(key, value)
    elif key == "font":
        size = re.search(r"([\d.]+)px", value)
        element.set("font-size", size.group(1) if size else "9")
    elif key == "font-size":
        element.set("font-size", value.removesuffix("px"))
    elif key in KEPT:
        element.set(key, value)
    return []
