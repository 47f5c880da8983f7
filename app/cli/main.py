"""The command line, `resonate`: each command's words, options and exit code; what they do is imported when they run."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from app.cli import backup, definitions, keys, people, privacy, recommender, results, service, setup
from app.cli.output import Refused, complain, say
from kit.private import keep_private

app = typer.Typer(
    name="resonate",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (service, setup, definitions, results, backup, privacy):
    app.registered_commands += part.commands.registered_commands
app.add_typer(keys.commands, name="keys")
app.add_typer(people.commands, name="people")
app.add_typer(recommender.commands, name="recommender")


def tell_version(asked: bool) -> None:
    """What `--version` says, and nothing else."""
    if asked:
        say(f"resonate {version('resonate')}")
        raise typer.Exit


@app.callback()
def resonate(
    version: Annotated[
        bool, typer.Option("--version", callback=tell_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Messages, events, statistics and recommendations in one service. Start with: resonate demo"""


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 refused or a check that failed, 2 wrong usage, 130 interrupted."""
    keep_private()
    try:
        app()
    except Refused as refusal:
        complain(str(refusal))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
