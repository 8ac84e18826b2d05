"""A model as an ONNX graph in float64: imputation, missing flags and categories included.

Inputs are one per table column, shape (n, 1): double for numbers and booleans (NaN is missing), string
for categories (every spelling of a missing value of the plan is missing), and one double per part of a
date, named ``column part``. Converters that go through float32 lose digits; this graph has none.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from elltwo.errors import missing_extra
from elltwo.facts.model import FittedModel
from elltwo.facts.plan import ColumnPlan
from elltwo.reporting.export.terms import Term, terms

OPSET, ML_OPSET, IR = 17, 3, 9  # old enough for every runtime of the last years


def _onnx() -> Any:
    try:
        import onnx
    except ImportError:
        raise missing_extra("onnx", "onnx", "writing an ONNX file") from None
    return onnx


class _Graph:
    """Nodes, constants and inputs as they are added."""

    def __init__(self) -> None:
        self.onnx = _onnx()
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs: list[Any] = []

    def constant(self, name: str, values: Any) -> str:
        self.constants.append(self.onnx.numpy_helper.from_array(np.asarray(values), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def input(self, name: str, kind: str) -> str:
        element = getattr(self.onnx.TensorProto, kind)
        self.inputs.append(self.onnx.helper.make_tensor_value_info(name, element, ["n", 1]))
        return name


def _numbers(g: _Graph, columns: list[ColumnPlan], slopes: np.ndarray, missing: np.ndarray) -> str:
    """(n, outputs) from all numbers: filled @ slopes + flags @ what a missing value adds."""
    names = [g.input(name, "DOUBLE") for c in columns for name in c.numbers]
    x = g.node("Concat", names, "numbers", axis=1) if len(names) > 1 else names[0]
    flags = g.node("IsNaN", [x], "is_missing")
    filled = g.node("Where", [flags, g.constant("zero", np.float64(0.0)), x], "filled")
    present = g.node("MatMul", [filled, g.constant("slopes", slopes)], "present")
    doubles = g.node("Cast", [flags], "flags", to=g.onnx.TensorProto.DOUBLE)
    absent = g.node("MatMul", [doubles, g.constant("when_missing", missing)], "absent")
    return g.node("Add", [present, absent], "from_numbers")


def _category(g: _Graph, at: int, column: ColumnPlan, found: list[Term], na: tuple[str, ...]) -> str:
    """(n, outputs): the level's row of a small table; the last two rows are missing and unseen."""
    levels = [level for level in column.levels if level not in na]
    size = len(levels)
    keys = [*levels, *na]
    values = [*range(size), *[size] * len(na)]
    name = g.input(column.name, "STRING")
    code = g.node(
        "LabelEncoder", [name], f"code_{at}", domain="ai.onnx.ml",
        keys_strings=keys, values_int64s=values, default_int64=size + 1,
    )  # fmt: skip
    flat = g.node("Squeeze", [code, g.constant(f"axis_{at}", np.array([1]))], f"flat_{at}")
    table = np.array([[*(t.levels[level] for level in levels), t.missing, t.unseen] for t in found]).T
    return g.node("Gather", [g.constant(f"levels_{at}", table), flat], f"from_{at}", axis=0)


def _columns_of_numbers(
    model: FittedModel, found: list[tuple[Term, ...]]
) -> tuple[list[ColumnPlan], Any, Any]:
    """Number columns, their slopes (parts, outputs), and what a missing first part adds (parts, outputs)."""
    at = [i for i, c in enumerate(model.plan.used) if c.kind != "category"]
    columns = [model.plan.used[i] for i in at]
    slopes = [[row[i].slopes[part] for row in found] for i in at for part in found[0][i].slopes]
    missing = [
        [row[i].missing if j == 0 else 0.0 for row in found]
        for i in at
        for j in range(len(found[0][i].slopes))
    ]
    return columns, np.array(slopes), np.array(missing)


def _label(g: _Graph, model: FittedModel, scores: str) -> None:
    """The class: of the largest score, or the second class where the one score is positive."""
    if len(model.outputs) == 1:
        positive = g.node("Greater", [scores, g.constant("nought", np.float64(0.0))], "positive")
        index = g.node("Cast", [positive], "column", to=g.onnx.TensorProto.INT64)
        index = g.node("Squeeze", [index, g.constant("last", np.array([1]))], "index")
    else:
        index = g.node("ArgMax", [scores], "index", axis=1, keepdims=0)
    g.node(
        "LabelEncoder", [index], "label", domain="ai.onnx.ml", keys_int64s=list(range(len(model.classes))),
        values_strings=list(model.classes), default_string="",
    )  # fmt: skip


def to_onnx(model: FittedModel) -> bytes:
    """The serialised graph: outputs ``prediction`` (n, outputs) double and, for classes, ``label`` (n,).

    Raises
    ------
    MissingExtra
        The package onnx is not installed.
    """
    g = _Graph()
    found = [terms(model, out) for out in model.outputs]
    total = g.constant("intercept", np.array([[out.intercept for out in model.outputs]]))
    columns, slopes, missing = _columns_of_numbers(model, found)
    pieces = [_numbers(g, columns, slopes, missing)] if columns else []
    for at, column in enumerate(model.plan.used):
        if column.kind == "category":
            pieces.append(_category(g, at, column, [row[at] for row in found], model.plan.na))
    for i, piece in enumerate(pieces):
        total = g.node("Add", [total, piece], "prediction" if i == len(pieces) - 1 else f"sum_{i}")
    helper, kinds = g.onnx.helper, g.onnx.TensorProto
    outputs = [helper.make_tensor_value_info("prediction", kinds.DOUBLE, ["n", len(model.outputs)])]
    if model.classes:
        _label(g, model, total)
        outputs.append(helper.make_tensor_value_info("label", kinds.STRING, ["n"]))
    graph = helper.make_graph(g.nodes, "elltwo", g.inputs, outputs, g.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    proto = helper.make_model(
        graph, opset_imports=opsets, producer_name="elltwo", producer_version=model.version
    )
    proto.ir_version = IR
    g.onnx.checker.check_model(proto)
    return proto.SerializeToString()
