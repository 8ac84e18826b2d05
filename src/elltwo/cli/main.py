"""The entry point ``elltwo``: a group whose commands are imported only when they run."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from elltwo import __version__
from elltwo.cli.failing import guarded

# name -> (module, one line for --help); the module holds a click command called ``command``
COMMANDS: dict[str, tuple[str, str]] = {
    "fit": ("fit", "Fit a ridge to a table, choose its strength, explain the result."),
    "predict": ("predict", "Predict new rows with a saved model."),
    "explain": ("explain", "Say what fit would do with a table, and why, without fitting."),
    "report": ("report", "Write the HTML report of a saved model."),
    "export": ("export", "Turn a saved model into SQL, Python, ONNX or scikit-learn."),
    "convert": ("convert", "Carry a strength from one program's convention to another's."),
    "demo": ("demo", "Fit a bundled real data set and write its report."),
    "stats": ("stats", "Reduce a shard of a table to its moments."),
    "merge": ("merge", "Merge moments of shards and fit."),
    "deblur": ("deblur", "Restore a blurred picture whose blur is known."),
    "recipe": ("recipe", "Carry learning rate and weight decay to another training run."),
    "plan": ("plan", "Show which weights of a network should decay."),
    "audit": ("audit", "Check a network's weight decay for common mistakes."),
}

EPILOG = """\b
Results go to stdout, messages to stderr.
Exit codes: 0 done, 1 failed, 2 used wrongly, 3 data, 130 interrupted.
Settings: option over ELLTWO_* variable over --config FILE.toml over default."""


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        return import_module(f"elltwo.cli.commands.{COMMANDS[cmd_name][0]}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown name gets a suggestion."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], COMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(COMMANDS)}"
            raise click.UsageError(f"there is no command {args[0]!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "ELLTWO"},
)
@click.version_option(__version__, message="elltwo %(version)s")
def cli() -> None:
    """L2 regularization in every form: fit, choose the strength, explain."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``elltwo`` and return the exit code; nothing a user can do ends in a traceback."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments or bool(os.environ.get("ELLTWO_JSON"))
    return guarded(lambda: cli.main(arguments, prog_name="elltwo", standalone_mode=False), as_json)


if __name__ == "__main__":
    sys.exit(main())
