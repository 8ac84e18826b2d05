"""``python -m elltwo.labs NAME [--quick] [--figure FILE.png]``."""

from __future__ import annotations

import argparse
import sys

from elltwo.errors import ElltwoError
from elltwo.labs.catalogue import LABS, run_lab


def main(argv: list[str] | None = None) -> int:
    """Run one lab or list them; 0 if every claim held, 1 if one failed, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m elltwo.labs", description="Claims of theory, measured.")
    parser.add_argument("name", nargs="?", help="which lab; none lists them")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes")
    parser.add_argument("--figure", help="write the picture here")
    given = parser.parse_args(argv)
    if given.name is None:
        print("\n".join(f"{name:<14}{what}" for name, what in LABS.items()))
        return 0
    try:
        report = run_lab(given.name, quick=given.quick)
        if given.figure:
            report.save(given.figure)
    except ElltwoError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(report)
    return 0 if report.holds else 1


if __name__ == "__main__":
    sys.exit(main())
