"""How commands speak: tables and progress for people, JSON for machines, refusals on standard error."""

import json
import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from rich.progress import Progress

    from app.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, for machines.")]
NO_SERVICE: Final = (
    "no service has run in {}; start one with `resonate serve`, or set RESONATE_DATA to its data directory"
)
NO_EXPERIMENT: Final = "{} holds no experiment yet; begin one with `resonate new KEY`"
Key = Annotated[str, typer.Argument(help="Key of the experiment.", show_default=False)]


class Refused(Exception):
    """A command cannot do what it was asked to; the text says what is wrong and what would be right."""


def environment_settings(**given: Any) -> "Settings":
    """The settings of the environment with the command's own options (None is not given). Raises Refused."""
    from app.settings import SettingsError, load_settings

    try:
        return load_settings(os.environ, **{name: value for name, value in given.items() if value is not None})
    except SettingsError as error:
        raise Refused(str(error)) from None


def complain(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr, flush=True)


def say(text: str) -> None:
    """A line on standard output, as it is."""
    print(text, flush=True)


def say_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, default=str, ensure_ascii=False), flush=True)


def say_table(title: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for people; cells are text only, never markup."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", header_style="bold", box=SIMPLE)
    for name in names:
        table.add_column(name, no_wrap=name == names[0])  # what a row is about is never cut before its numbers wrap
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)


def say_facts(title: str, facts: Mapping[str, Any]) -> None:
    """A title and its facts, one a line."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(title, style="bold"))
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        console.print(Text(f"  {name:<{width}}  {value}"))


@contextmanager
def progress() -> "Generator[Progress]":
    """A progress bar on standard error, so that standard output stays what was asked for."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        yield bar
