"""Where an option's value comes from: the flag, then ELLTWO_*, then a TOML file, then the default.

``@settings`` turns a function into a click command that has ``--config``, ``--show-config`` and
``--json``, reads ``ELLTWO_<OPTION>`` (all commands) and ``ELLTWO_<COMMAND>_<OPTION>`` (one command), and
refuses unknown keys of the file by name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from elltwo.errors import UsageError

COMMON = ("config", "show_config", "as_json", "help")
Function = Callable[..., Any]


def _read_toml(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no configuration file {str(path)!r}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"the configuration file {str(path)!r} cannot be read: {error}") from None
    return data.get("tool", {}).get("elltwo", {}) if path.name == "pyproject.toml" else data


def _implicit() -> Path | None:
    """./elltwo.toml, or ./pyproject.toml when it has a [tool.elltwo] table."""
    if Path("elltwo.toml").is_file():
        return Path("elltwo.toml")
    project = Path("pyproject.toml")
    return project if project.is_file() and _read_toml(project) else None


def _for_command(data: dict[str, Any], ctx: click.Context, path: Path) -> dict[str, Any]:
    """The keys of one command: those at the top, then those of its own table."""
    from elltwo.cli.main import COMMANDS

    names = {p.name for p in ctx.command.params if p.name not in COMMON}
    own = data.get(ctx.info_name or "", {})
    if not isinstance(own, dict):
        raise UsageError(f"{path}: [{ctx.info_name}] should be a table of options")
    top = {k: v for k, v in data.items() if not isinstance(v, dict)}
    strangers = [k for k, v in data.items() if isinstance(v, dict) and k not in COMMANDS]
    strangers += [k for k in own if k.replace("-", "_") not in names]
    elsewhere = [k for k in top if k.replace("-", "_") not in names]
    strangers += [k for k in elsewhere if k.replace("-", "_") not in _known_anywhere(ctx)]
    if strangers:
        listed = ", ".join(sorted(n.replace("_", "-") for n in names if n))
        raise UsageError(f"{path}: unknown setting {strangers[0]!r}; elltwo {ctx.info_name} knows {listed}")
    merged = {k.replace("-", "_"): v for k, v in {**top, **own}.items()}
    several = {p.name for p in ctx.command.params if isinstance(p, click.Option) and p.multiple}
    lone = {k: [v] for k, v in merged.items() if k in several and not isinstance(v, list)}
    return {k: v for k, v in (merged | lone).items() if k in names}


def _known_anywhere(ctx: click.Context) -> set[str | None]:
    """Options of all commands: any of them may stand at the top of a settings file."""
    from elltwo.cli.main import COMMANDS, cli

    commands = [cli.get_command(ctx, name) for name in COMMANDS]
    return {p.name for command in commands if command is not None for p in command.params}


def _load(ctx: click.Context, _: click.Parameter, value: str | None) -> str | None:
    """Callback of --config, run before all other options: fill in the defaults from the file."""
    path = Path(value) if value else _implicit()
    if path is not None:
        ctx.default_map = _for_command(_read_toml(path), ctx, path)
    return str(path) if path else None


def resolved(ctx: click.Context) -> dict[str, dict[str, Any]]:
    """Every option of the running command with its value and where that came from."""
    words = {"COMMANDLINE": "flag", "ENVIRONMENT": "environment", "DEFAULT_MAP": "file", "DEFAULT": "default"}
    out = {}
    for param in ctx.command.params:
        if param.name and param.name not in COMMON and isinstance(param, click.Option):
            source = ctx.get_parameter_source(param.name)
            value = ctx.params.get(param.name)
            out[param.name] = {"value": value, "from": words.get(source.name if source else "", "default")}
    return out


def _show(ctx: click.Context) -> None:
    from elltwo.cli.console import put, put_json

    if ctx.params.get("as_json"):
        put_json(resolved(ctx))
        return
    for name, row in resolved(ctx).items():
        value = list(row["value"]) if isinstance(row["value"], tuple) else row["value"]
        put(f"{name.rstrip('_').replace('_', '-'):<20} {value!s:<30} {row['from']}")


def _common() -> list[click.Parameter]:
    """The options that every command has."""
    return [
        click.Option(
            ["--json", "as_json"], is_flag=True, help="Print the result (and any error) as JSON."
        ),
        click.Option(
            ["--show-config"], is_flag=True, help="Print every setting and its origin; do nothing."
        ),
        click.Option(
            ["--config"], metavar="FILE.toml", is_eager=True, callback=_load, envvar="ELLTWO_CONFIG",
            help="Settings file (default: ./elltwo.toml, [tool.elltwo] in ./pyproject.toml).",
        ),
    ]  # fmt: skip


class Sectioned(click.Command):
    """A command whose help lists its options under headings; those without one come last."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, section by section."""
        rows: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                rows.setdefault(getattr(param, "section", ""), []).append(record)
        rest = rows.pop("", [])
        for title, listed in (*rows.items(), ("Options" if not rows else "Output and settings", rest)):
            with formatter.section(title):
                formatter.write_dl(listed)


def attach(options: tuple[Callable[[Any], Any], ...], section: str = "") -> Callable[[Any], Any]:
    """Several options at once, in the order in which --help shows them, under a heading of it."""

    def decorate(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
            if section:
                function.__click_params__[-1].section = section
        return function

    return decorate


def settings(name: str, help_text: str) -> Callable[[Function], click.Command]:
    """Decorate a function whose options are already attached; it receives them without the common ones."""

    def decorate(function: Function) -> click.Command:
        @click.pass_context
        def run(ctx: click.Context, **params: Any) -> Any:
            params.pop("config")
            if params.pop("show_config"):
                _show(ctx)
                return None
            return function(**params)

        # click shows options in the reverse of this list: the common ones come last
        run.__click_params__ = [*_common(), *getattr(function, "__click_params__", [])]  # type: ignore[attr-defined]  # click's own way
        command = click.command(name, cls=Sectioned, help=help_text)(run)
        for param in command.params:
            if isinstance(param, click.Option) and param.name and param.envvar is None:
                upper = param.name.removeprefix("as_").upper()
                param.envvar = [f"ELLTWO_{name.upper()}_{upper}", f"ELLTWO_{upper}"]
        return command

    return decorate
