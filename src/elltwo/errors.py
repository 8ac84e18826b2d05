"""Every refusal of the library, as a sentence: what was asked, what was got, what to do."""

from __future__ import annotations


class ElltwoError(Exception):
    """Base of every error elltwo raises on purpose. ``exit_code`` is what the command line returns."""

    exit_code = 1


class InputError(ElltwoError, ValueError):
    """An argument or array that cannot be used: wrong shape, NaN, empty, out of range."""

    exit_code = 3


class UsageError(ElltwoError, ValueError):
    """An option that does not exist, or options that exclude each other."""

    exit_code = 2


class DataError(InputError):
    """A file, table or column that cannot be used; names file, row, column, value and the remedy."""


class BadValue(DataError):
    """One value that breaks the column plan. ``file``, ``row``, ``line``, ``column``, ``value`` say where (or None).

    ``remedy`` is the end of the message: what to do.
    """

    file: str | None = None
    row: int | None = None
    line: int | None = None
    column: str | None = None
    value: str | None = None
    remedy: str | None = None

    def __init__(self, message: str, **where: object) -> None:
        super().__init__(message)
        self.__dict__.update(where)


class OutputError(ElltwoError, OSError):
    """A file that cannot be written: no permission, no folder, no space left. Nothing half-written remains."""

    exit_code = 1


class MissingRows(UsageError):
    """A rule or figure needs the rows of the data, and only their moments were kept."""


class MissingExtra(ElltwoError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class ConversionError(UsageError):
    """A strength cannot be carried from one convention to another; the message says what is missing."""


class AccuracyWarning(UserWarning):
    """The answer has fewer correct digits than asked for; the message says how many and why."""


class ChoiceWarning(UserWarning):
    """A choice (a strength, a boundary, a rule) deserves a look; the message says which and why."""


def unknown_option(what: str, got: object, known: object) -> UsageError:
    """One sentence for an option that does not exist, listing those that do."""
    names = ", ".join(repr(k) for k in known)  # type: ignore[attr-defined]  # any iterable of names
    return UsageError(f"unknown {what} {got!r}: choose one of {names}")


def missing_extra(package: str, extra: str, purpose: str) -> MissingExtra:
    """One sentence for a package that is not installed, with the command that brings it."""
    return MissingExtra(
        f"{purpose} needs {package}, which is not installed: run pip install 'elltwo[{extra}]'"
    )
