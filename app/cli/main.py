"""The command line, `resonate`: each command's words, options and exit code; what they do is imported when they run."""

import sys

import typer

from app.cli import definitions, recommender, results, service, validation
from app.cli.output import Refused, complain

app = typer.Typer(
    name="resonate",
    help="Messages, events, statistics and recommendations in one service. Start with: resonate demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (service, definitions, results, results, validation):
    app.registered_commands += part.commands.registered_commands
app.add_typer(recommender.commands, name="recommender")


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 refused or a check that failed, 2 wrong usage, 130 interrupted."""
    try:
        app()
    except Refused as refusal:
        complain(str(refusal))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
