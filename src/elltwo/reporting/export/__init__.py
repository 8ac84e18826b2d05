"""A fitted model in other forms: its own JSON file, SQL, plain Python, ONNX, scikit-learn.

It stands among the reports because it is the same activity: facts in, another way of writing them out.
Nothing here fits anything, and nothing here needs a terminal.
"""

from __future__ import annotations

from elltwo.reporting.export.json_file import load_model, save_model
from elltwo.reporting.export.terms import Term, terms

__all__ = ["Term", "load_model", "save_model", "terms"]
