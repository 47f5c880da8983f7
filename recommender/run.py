"""A whole training: purchases in, model published or refused, report written."""

import math
import time
from pathlib import Path

from recommender.artefact import ArtefactDamaged
from recommender.cooccurrence import Progress
from recommender.identifiers import Index, Texts
from recommender.publishing import Report, settle
from recommender.purchases import Purchases
from recommender.serving import DAY_SECONDS, MODELS, read_products
from recommender.sources import purchases_from_log, purchases_from_table
from recommender.training import train


def run_training(data: Path, table: Path | None = None, progress: Progress | None = None) -> Report:
    """Trains on the log, or on a table, and settles what becomes of the model.

    Raises DataDamaged for a log that cannot be read, TableError for a table that cannot be used.
    """
    started = time.process_time()
    now_seconds = int(time.time())  # before the log is read: what comes while it is read is not of this model
    purchases = purchases_from_log(data) if table is None else purchases_from_table(table)
    cut_off = (now_seconds if table is None or not len(purchases) else _end_seconds(purchases)) / DAY_SECONDS
    models = data / MODELS
    models.mkdir(parents=True, exist_ok=True)
    trained = train(purchases, categories_of(data, purchases), cut_off, progress, models)
    return settle(models, trained, time.process_time() - started)


def categories_of(data: Path, purchases: Purchases) -> list[str]:
    """The category path of each product from the catalogue, "" where it has none."""
    try:
        products = read_products(data)
    except ArtefactDamaged:
        products = None
    if products is None:
        return [""] * len(purchases.product_ids)
    names = Texts(products.category_blob, products.category_offsets).all()
    places = Index(products.id_digests, products.id_places).find(list(purchases.product_ids))
    return [names[int(products.category[place])] if place >= 0 else "" for place in places]


def _end_seconds(purchases: Purchases) -> int:
    """Just after the last line of a table: its time is what it knows of."""
    return math.ceil(purchases.days[-1] * DAY_SECONDS) + 1
