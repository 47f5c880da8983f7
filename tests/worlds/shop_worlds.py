"""Small shops whose truth is known, for tests of the recommender."""

import random
from functools import cache
from pathlib import Path
from typing import Final

from recommender.model.artefact import new_version, publish_version, write_artefact
from recommender.model.purchases import Purchases
from recommender.training.train import TrainedModel, train_model

DAY: Final = 20_000.0  # the cut-off of every world, in days since 1970
CATEGORIES: Final = ("Coffee", "Tea", "Cheese", "Wine", "Bread", "Honey")
PER_CATEGORY: Final = 12


def products_of_taste() -> dict[str, str]:
    """Product → its category."""
    return {f"{category.lower()}-{number}": category for category in CATEGORIES for number in range(PER_CATEGORY)}


def taste_lines(people: int = 240, seed: int = 1) -> list[tuple[str, str, str, float]]:
    """Lines of people who each love two categories; the first of each category is its favourite.

    `coffee-0` and `honey-0` are always bought together; `regular` buys `bread-3` every seven days.
    """
    dice = random.Random(seed)
    names = list(products_of_taste())
    lines: list[tuple[str, str, str, float]] = []
    for number in range(people):
        loved = dice.sample(CATEGORIES, 2)
        for visit in range(dice.randint(2, 6)):
            day, order = DAY - dice.uniform(0.1, 120), f"o-{number}-{visit}"
            for _ in range(dice.randint(1, 4)):
                category = dice.choice(loved) if dice.random() < 0.95 else dice.choice(CATEGORIES)
                product = f"{category.lower()}-{min(int(dice.expovariate(0.35)), PER_CATEGORY - 1)}"
                lines.append((f"c-{number}", product, order, day))
            if dice.random() < 0.15:
                lines += [(f"c-{number}", pair, order, day) for pair in ("coffee-0", "honey-0")]
    for week in range(15):
        day = DAY - 2 - 7 * week
        lines.append(("regular", "bread-3", f"r-{week}", day))
        if week % 3 == 0:
            lines.append(("regular", dice.choice(names), f"r-{week}", day))
    return lines


def purchases_of(lines: list[tuple[str, str, str, float]]) -> Purchases:
    """Lines as purchases."""
    people, products, orders, days = zip(*lines, strict=True)
    return Purchases.of(people, products, orders, days)


@cache
def taste_world() -> TrainedModel:
    """A trained model of the shop of tastes."""
    purchases = purchases_of(taste_lines())
    categories = products_of_taste()
    return train_model(purchases, [categories[product] for product in purchases.product_ids], DAY)


def write_trained(folder: Path, trained: TrainedModel) -> str:
    """Puts a model beside the live one, whatever the gate would say; its version."""
    version = new_version()
    write_artefact(folder, version, trained.arrays.as_dict(), trained.as_json())
    return version


def publish_trained(folder: Path, trained: TrainedModel) -> str:
    """Makes a model the live one; its version."""
    version = write_trained(folder, trained)
    publish_version(folder, version)
    return version
