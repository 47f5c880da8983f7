"""Commands of the recommender: train, evaluate."""

import typer

commands = typer.Typer(help="Train and evaluate recommendations.", no_args_is_help=True)
