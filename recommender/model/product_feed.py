"""Reads a catalogue of products row by row, naming every wrong row, and makes it the shop's, whole or not at all."""

import csv
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from events.parts.arrow import UnreadableParquet, parquet_rows
from kit.files import locked
from kit.values import Unusable, identifier
from recommender.model.artefact import new_version, publish_version, write_artefact
from recommender.model.products import NONE, ProductRow, product_arrays

_UNCLEAN: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")

Format = Literal["ndjson", "csv", "parquet"]
Row = Mapping[str, Any]

TRUE: Final = frozenset({"true", "1", "yes"})
FALSE: Final = frozenset({"false", "0", "no"})
LARGEST_PRICE: Final = 1e9
LONGEST_TEXT: Final = 2_048
MOST_ROWS: Final = 2_000_000
MOST_ACCESSORIES: Final = 1_000
LIST: Final = "|"  # between the ids of a list in one CSV cell
CSV_FIELD_LIMIT: Final = 1_000_000


class RowError(ValueError):
    """What is wrong with one row."""


@dataclass(frozen=True, slots=True)
class UploadRows:
    """The rows of an upload: products in order, and a sentence for each bad row."""

    products: list[ProductRow]
    errors: list[str]


def read_products_file(path: Path, form: Format) -> UploadRows:
    """Every row of an upload; a product that comes twice is an error of its second row."""
    products: dict[str, ProductRow] = {}
    first: dict[str, int] = {}
    errors: list[str] = []
    readers = {"ndjson": _json_lines, "csv": _csv_lines, "parquet": _parquet_lines}
    for number, row in readers[form](path):
        try:
            if isinstance(row, str):
                raise RowError(row)
            product = ProductRow(
                product_id=_identifier(row.get("product_id"), "product_id"),
                name=_text(row, "name") or None,
                category=_text(row, "category"),
                brand=_text(row, "brand"),
                price=_price(row.get("price")),
                in_stock=_flag(row.get("in_stock")),
                url=_text(row, "url") or None,
                image_url=_text(row, "image_url") or None,
                group_id=_text(row, "group_id"),
                accessories_of=tuple(_accessories(row.get("accessories_of"))),
            )
            known = first.setdefault(product.product_id, number)
            if known != number:
                raise RowError(f"product_id {_shown(product.product_id)} was in row {known} already")
            products[product.product_id] = product
        except RowError as error:
            errors.append(f"row {number}: {error}")
        if number > MOST_ROWS:
            errors.append(f"row {number}: a catalogue has at most {MOST_ROWS} products")
            break
    return UploadRows(list(products.values()), errors)


def _json_lines(path: Path) -> Iterator[tuple[int, Row | str]]:
    """Rows by number, from 1; a text in place of a row says why there is none. So do the other readers."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line.decode("utf-8-sig"), parse_constant=_no_constant)
            except (ValueError, RecursionError) as error:
                yield number, f"it is not JSON ({str(error)[:80]})"
            else:
                yield number, row if isinstance(row, dict) else "it is not a JSON object"


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _csv_lines(path: Path) -> Iterator[tuple[int, Row | str]]:
    csv.field_size_limit(CSV_FIELD_LIMIT)
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, strict=True)
        number = 0
        try:
            for number, row in enumerate(reader, 1):
                if None in row:
                    yield number, "it has more cells than the first line has names"
                else:
                    yield number, {str(name): value for name, value in row.items() if value not in (None, "")}
        except UnicodeDecodeError:
            yield number + 1, "it is not UTF-8"
        except csv.Error as error:
            yield number + 1, f"it is not CSV ({error})"


def _parquet_lines(path: Path) -> Iterator[tuple[int, Row | str]]:
    try:
        yield from enumerate(parquet_rows(path), 1)
    except UnreadableParquet as error:
        yield 1, str(error)


def _identifier(value: Any, name: str) -> str:
    found = identifier(value)
    if found is None:
        raise RowError(f"{name} is missing; each product needs one, as text")
    if isinstance(found, Unusable):
        raise RowError(f"{name} {_shown(value)}: {found.reason}")
    return found


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    if value is None:
        return NONE
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or not _clean(value):
        raise RowError(f"{name} must be a text of at most {LONGEST_TEXT} characters without control characters")
    return value


def _price(value: Any) -> float | None:
    if value is None:
        return None
    try:
        price = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        price = math.nan
    if not 0 <= price <= LARGEST_PRICE:
        raise RowError(f"price {_shown(value)} must be a number from 0 to {LARGEST_PRICE:.0f}")
    return price


def _flag(value: Any) -> bool:
    if value is None:
        return True
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text not in TRUE | FALSE:
        raise RowError(f"in_stock {_shown(value)} must be true or false")
    return text in TRUE


def _accessories(value: Any) -> Iterable[str]:
    ids = value.split(LIST) if isinstance(value, str) else value
    if ids is None:
        return ()
    if not isinstance(ids, list) or len(ids) > MOST_ACCESSORIES:
        raise RowError(f"accessories_of must be a list of at most {MOST_ACCESSORIES} product ids")
    return [_identifier(each, "accessories_of") for each in ids]


def _clean(text: str) -> bool:
    """No control characters, no lone surrogates."""
    return text.isprintable() or _UNCLEAN.search(text) is None


def _shown(value: Any) -> str:
    return ascii(value)[:60]


LISTED: Final = 20  # bad rows that an answer names


@dataclass(frozen=True, slots=True)
class ImportOutcome:
    """What became of an upload; `errors` names the first bad rows, `bad_rows` counts all of them."""

    version: str | None
    products: int
    bad_rows: int
    errors: tuple[str, ...]


def import_products(folder: Path, upload: Path, form: Format) -> ImportOutcome:
    """Reads, checks and publishes an upload. One bad row refuses it, so that the shop's list is never half of one."""
    reading = read_products_file(upload, form)
    if reading.errors:
        return ImportOutcome(None, len(reading.products), len(reading.errors), tuple(reading.errors[:LISTED]))
    if not reading.products:
        return ImportOutcome(None, 0, 1, ("row 1: the upload holds no product; a catalogue has at least one",))
    version = new_version()
    facts = {"kind": "products", "products": len(reading.products)}
    with locked(folder / "products"):  # of two uploads at once the last one stands
        write_artefact(folder, version, product_arrays(reading.products).as_dict(), facts)
        publish_version(folder, version)
    return ImportOutcome(version, len(reading.products), 0, ())


if __name__ == "__main__":  # folder, upload and form: asked for by a process that must stay small
    place, file, form = sys.argv[1:]
    print(json.dumps(asdict(import_products(Path(place), Path(file), cast("Format", form)))))
