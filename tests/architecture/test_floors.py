"""Who may import whom; each test prints the sentence it enforces."""

import ast
from pathlib import Path

import pytest

import elltwo

ROOT = Path(elltwo.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# heavy or optional package -> rooms that may import it
ROOMS = {
    "torch": {"decay", "labs"},
    "lightning": {"decay"},
    "transformers": {"decay"},
    "dask": {"scale"},
    "distributed": {"scale"},
    "matplotlib": {"reporting", "labs", "inverse", "decay"},
    "onnx": {"cli", "reporting"},
    "rich": {"cli"},
    "click": {"cli"},
}


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path, top_level_only: bool = False) -> list[tuple[str, int]]:
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append((node.module, node.lineno))
    return found


@pytest.mark.parametrize("package", ROOMS)
def test_heavy_packages_stay_in_their_rooms(package):
    strangers = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in FILES
        for name, line in imports(path)
        if name.split(".")[0] == package and room(path) not in ROOMS[package]
    ]
    assert not strangers, f"{package} may be imported in {sorted(ROOMS[package])} only, not in {strangers}"


def test_nothing_inside_imports_from_the_package_root():
    found = [
        f"{p.relative_to(ROOT)}:{line}"
        for p in FILES
        for name, line in imports(p)
        if name == "elltwo" and p.parent != ROOT
    ]
    allowed = [f for f in found if f.startswith("cli/")]  # the program speaks through the door, like any user
    assert found == allowed, f"import from the module that defines a name, not from the door: {found}"


def test_every_name_at_the_door_opens():
    pytest.importorskip("torch")
    for name in elltwo.__all__:
        assert getattr(elltwo, name) is not None


def test_a_name_that_is_not_at_the_door_is_refused():
    with pytest.raises(AttributeError, match="has no attribute 'ridge_of_glory'"):
        _ = elltwo.ridge_of_glory


def test_every_module_says_what_it_is_for():
    silent = [str(p.relative_to(ROOT)) for p in FILES if not ast.get_docstring(ast.parse(p.read_text()))]
    assert not silent, f"a first line saying what the module is for is missing in {silent}"
