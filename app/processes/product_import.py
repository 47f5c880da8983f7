"""Reads one upload of products in a process of its own: `python -P -m app.product_import FOLDER UPLOAD FORM`.

HTTP workers stay small that way: what reads Parquet never enters them. It answers with one JSON object.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path


def main() -> int:
    """Import the upload that the arguments name."""
    from recommender.model.product_feed import import_products

    folder, upload, form = sys.argv[1:]
    imported = import_products(Path(folder), Path(upload), form)  # pyright: ignore[reportArgumentType]
    print(json.dumps(asdict(imported)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
