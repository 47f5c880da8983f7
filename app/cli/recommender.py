"""Commands of the recommender: train, evaluate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.output import (
    AsJson,
    Reason,
    Refused,
    checked_reason,
    environment_settings,
    progress,
    say_facts,
    say_json,
    say_table,
)

if TYPE_CHECKING:
    from recommender.publishing.concentration import Growth
    from recommender.publishing.publish import Report


commands = typer.Typer(help="Train and evaluate recommendations.", no_args_is_help=True)

TASK_NAMES = {
    "next_basket": "next basket (buy_again)",
    "novel": "new products (for_you)",
    "completion_guest": "guest's cart (bought_together)",
    "completion_known": "known visitor's cart",
}


@commands.command()
def train(
    purchases: Annotated[
        Path | None,
        typer.Option(help="CSV or Parquet with columns user, product, order, time, quantity, price; else the log."),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(help="A product that may stand in many more lists than before although only pages say so."),
    ] = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Train on the log, or on a table, and publish each strategy unless it is worse; workers take it up at once."""
    from app.keys.audit import Actor, Audit, AuditUnusable, line_of
    from events.parts.manifest import holds_log
    from events.parts.part import DataDamaged
    from experiments.catalog.files import learn_from
    from kit.files import naming
    from recommender.publishing.publish import Acceptance
    from recommender.publishing.run import TrainingTerms, run_training
    from recommender.training.sources import TableError

    settings = environment_settings("writes")
    audit, why = Audit(settings.data), checked_reason(reason)

    def record(growth: "Growth") -> None:
        change = None, {"strategy": growth.strategy, "growth": str(growth)}
        audit.write(line_of(Actor.at_the_command_line(), "model.accept", growth.product, change, why))

    terms = TrainingTerms(learn_from(settings.data), Acceptance(frozenset(accept or ()), record))
    if purchases is None and not holds_log(settings.data):
        raise Refused(f"nothing is logged in {settings.data}; set RESONATE_DATA, or give --purchases FILE")
    with naming(settings.data / "models", unless_named=True), progress() as bar:
        line = bar.add_task("reading purchases and fitting weights", total=None)
        try:
            report = run_training(
                settings.data,
                purchases,
                lambda done, total: bar.update(
                    line, description="what is bought together", completed=done, total=total
                ),
                terms,
            )
        except (DataDamaged, TableError, AuditUnusable) as error:
            raise Refused(str(error)) from None
    if as_json:
        say_json(report.as_json())
    else:
        _tell(report)
    if report.outcome == "refused":
        raise Refused("the model is not published: " + "; ".join(report.reasons))


@commands.command()
def evaluate(as_json: AsJson = False) -> None:
    """Judge the strategies on Complete Journey (a dev dependency) beside implicit's models; takes some minutes."""
    try:
        from recommender.evaluation.evaluate import load_journey, run_protocol

        with progress() as bar:
            line = bar.add_task("reading Complete Journey", total=None)
            evaluation = run_protocol(load_journey(), tell=lambda text: bar.update(line, description=text))
    except ImportError as error:
        raise Refused(f"{error.name} is not installed; the evaluation needs the development packages") from None
    found = evaluation.as_json()
    if as_json:
        say_json(found)
        return
    rows: list[list[str]] = []
    for task, figures in found["tasks"].items():
        name, value = max(figures["peers"].items(), key=lambda peer: peer[1], default=("none", 0.0))
        own, popular = f"{figures['measure']} {figures['ours']:.4f}", f"{figures['popularity']:.4f}"
        rows.append([TASK_NAMES[task], own, popular, f"{name} {value:.4f}", f"{figures['ratio']}"])
    say_table("Evaluation, test window of four weeks", ["task", "ours", "popular", "best peer", "ratio"], rows)


def _tell(report: "Report") -> None:
    facts: dict[str, Any] = report.as_json()
    facts["people"] = facts["customers"]  # the name in the model's file
    shown = ("version", "cut_off", "orders", "people", "products", "seconds")
    title = {"published": "Published", "refused": "Refused", "too_little_data": "Published, popularity only"}
    say_facts(title.get(report.outcome, report.outcome), {name: facts[name] for name in shown})
    for reason in report.reasons:
        say_facts(f"refused: {reason}" if reason not in facts["missing"] else reason, {})
    for name in ("accepted", "grown"):
        for growth in facts[name]:
            say_facts(f"{name}: {growth}", {})
    learned = facts["learned_from"]
    told = {word: f"{learned['used'][word]} used, {learned['left_out'][word]} left out" for word in learned["used"]}
    say_facts(f"Orders (learn_from: {learned['setting']})", told)
    for reason in learned["because"]:
        say_facts(reason, {})
    if facts["validation"]:
        rows = [
            [TASK_NAMES[task], str(score["questions"]), f"{score['ndcg_10']:.4f}", f"{score['hit_rate_10']:.4f}",
             f"{score['popular']:.4f}"]
            for task, score in facts["validation"].items()
        ]  # fmt: skip
        say_table("Validation", ["task", "questions", "NDCG@10", "HR@10", "popularity"], rows)
