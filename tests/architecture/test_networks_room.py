"""The floors inside the networks' room."""

import ast
from pathlib import Path

import elltwo

ROOM = Path(elltwo.__file__).parent / "decay"

# each floor may import itself and those before it; wings on one floor do not see each other
FLOORS = [
    {"seeing", "recipes", "forms"},
    {"proving"},
    {"planning", "monitoring"},
    {"auditing", "symmetry", "tuning"},
    {"commands"},
]


def test_imports_inside_the_networks_room_go_down():
    level = {name: height for height, names in enumerate(FLOORS) for name in names}
    found = []
    for path in ROOM.rglob("*.py"):
        own = path.relative_to(ROOM).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("elltwo.decay."):
                other = node.module.split(".")[2]
                if other != own and level[other] >= level[own]:
                    found.append(f"{path.relative_to(ROOM)} imports {node.module}")
    assert not found, f"seeing < proving < planning < auditing and symmetry < commands; not so: {found}"


def test_every_folder_of_the_networks_room_has_a_floor():
    names = {p.stem for p in ROOM.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert names - {"__init__"} == set().union(*FLOORS)
