"""Every code that the package can emit stands in the reference, with its severity."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "findings.md"


def emitted():
    """(code, severity) of every call of ``Finding`` or ``found`` in the source; severity "" where it is computed."""
    for path in sorted((ROOT / "src" / "elltwo").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tables = {t.id: n.value for n in ast.walk(tree) if isinstance(n, ast.Assign) for t in n.targets
                  if isinstance(t, ast.Name) and isinstance(n.value, ast.Dict)}  # fmt: skip
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in ("Finding", "found"):
                values = [a.value if isinstance(a, ast.Constant) else "" for a in call.args[:2]]
                if len(values) == 2 and values[0]:
                    yield tuple(values)
                elif len(values) == 2 and "_CODES" in tables:
                    yield from ((v.value, values[1]) for v in tables["_CODES"].values)


def documented():
    """code -> severities, from the tables of the page."""
    rows = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [c.strip() for c in line.split("|")[1:-1]]
        if len(cells) >= 3 and cells[0].startswith("`"):
            for code in cells[0].split(","):
                rows.setdefault(code.strip(" `"), set()).update(s.strip() for s in cells[1].split(","))
    return rows


def test_every_code_that_the_package_can_emit_is_in_the_reference_with_its_severity():
    found, page = set(emitted()), documented()
    assert len(found) > 40
    assert not {code for code, _ in found} - page.keys()
    wrong = {(code, severity) for code, severity in found if severity and severity not in page[code]}
    assert not wrong


def test_the_reference_names_no_network_code_that_does_not_exist():
    text = PAGE.read_text(encoding="utf-8")
    networks = text[text.index("## Of an audit") :]
    codes = {code for code, _ in emitted()}
    listed = {c for c in documented() if f"`{c}`" in networks}
    assert listed <= codes
