"""What serving costs a worker, and what it forgets at once."""

import json
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

import pytest
from worlds.shop_worlds import publish_trained, taste_world

from app.worker.recommendations import current_publication, slot_request
from experiments.definitions.shop import Rules, Slot
from recommender.ranking.request import ListRequest

TOO_HEAVY = {"scipy", "pyarrow", "duckdb", "sqlglot", "statsmodels", "pandas"}


@pytest.mark.parametrize("module", ["app.main", "recommender.ranking.serving"])
def test_what_serves_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert TOO_HEAVY.isdisjoint(loaded.stdout.split())


def test_numpy_waits_for_the_first_model() -> None:
    code = "import sys, app.main; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"


def test_an_erased_person_is_unknown_at_once(tmp_path: Path) -> None:
    publish_trained(tmp_path / "models", taste_world())
    assert current_publication(tmp_path).remembered(["u:c-3"]) is not None
    digest = blake2b(b"c-3", digest_size=16).hexdigest()
    stone = {"kind": "user", "digest": digest, "candidate": 1, "positions": {"0": 5}, "erased_at": 1}
    (tmp_path / "tombstones.json").write_text(json.dumps([stone]))
    publication = current_publication(tmp_path)
    assert publication.remembered(["u:c-3"]) is None
    assert publication.remembered(["u:c-4"]) is not None


def test_a_rule_that_products_cannot_answer_is_passed_over() -> None:
    slot = Slot(name="front", rules=Rules(filter={"category": {"$regex": "^T"}, "in_stock": True}))
    assert [condition.field for condition in slot_request(slot).rules.conditions] == ["in_stock"]


def test_a_slot_without_rules_changes_nothing() -> None:
    slot = Slot(name="front", strategy="buy_again", limit=7, fallback="for_you")
    assert slot_request(slot) == ListRequest("buy_again", 7, "for_you")
