"""Small real tables that come with elltwo; their sources and licences stand in ``data/LICENSES.txt``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from elltwo.errors import unknown_option
from elltwo.tables.read import read_table
from elltwo.tables.source import Table

FOLDER = Path(__file__).resolve().parent.parent / "data"


@dataclass(frozen=True)
class DataSet:
    """A bundled table: what it is, what to predict in it, and what else to say to the planner."""

    name: str
    target: str
    about: str
    drop: tuple[str, ...] = ()

    @property
    def path(self) -> Path:
        """The CSV file."""
        return FOLDER / f"{self.name}.csv"

    def read(self) -> Table:
        """The table in memory, without the columns that give the target away."""
        return read_table(self.path, drop=self.drop)


_ALL = (
    DataSet("longley", "totemp", "16 years of US employment, six collinear economic series (NIST StRD)"),
    DataSet("diabetes", "target", "442 patients, ten measurements, disease progression a year later"),
    DataSet(
        "hitters", "Salary", "322 baseball players, careers and salaries, categories and missing targets"
    ),
    DataSet("hald", "y", "13 cements, four ingredients that sum to nearly 100 %, heat of hardening"),
    DataSet(
        "tecator", "fat", "215 meat samples, 100 near-infrared absorbances, fat in %", ("water", "protein")
    ),
    DataSet("fermentation", "glucose", "21 fermentation samples, 1047 infrared absorbances, glucose in g/l"),
    DataSet("filip", "y", "82 points for a polynomial of degree 10 (NIST StRD, higher difficulty)"),
    DataSet("wampler1", "y", "21 points on 1 + x + … + x⁵ (NIST StRD)"),
    DataSet("wampler2", "y", "21 points on 1 + 0.1x + … + 0.00001x⁵ (NIST StRD)"),
    DataSet("wampler3", "y", "wampler1 with residuals (NIST StRD)"),
    DataSet("wampler4", "y", "wampler1 with residuals a hundred times larger (NIST StRD)"),
    DataSet("wampler5", "y", "wampler1 with residuals ten thousand times larger (NIST StRD)"),
)


def bundled() -> tuple[DataSet, ...]:
    """Every table that comes with elltwo."""
    return _ALL


def dataset(name: str) -> DataSet:
    """One bundled table by name; UsageError with the known names if there is none."""
    for item in _ALL:
        if item.name == name:
            return item
    raise unknown_option("data set", name, [item.name for item in _ALL])
