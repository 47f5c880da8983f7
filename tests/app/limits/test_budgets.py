"""Budgets: what passes together never exceeds them, whoever is charged for it, and nobody pays for another."""

import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from servers.one_worker import PUBLISHABLE, SECRET, OneWorker
from servers.patience import until

from app.limits.budgets import KINDS, NEIGHBOURS, ROW, ROWS, Account, Allowance, Books, Budgets, Limits
from app.runtime.board import Board

FREE = 1e9
ONE = (1.0, 0.0, 0.0, 0.0)
KEPT = list[Board]()  # of another process, which holds what it claimed as long as it has the board


def allowance(per_second: float = 2, burst: float = 3) -> Allowance:
    """So many requests, and of the rest more than anybody uses."""
    return Allowance((per_second, FREE, FREE, FREE), ((burst - 1) / per_second, 4.0, 4.0, 4.0))


def budgets(books: Books | None = None, per_second: float = 2, burst: float = 3) -> Budgets:
    one = allowance(per_second, burst)
    return Budgets(Limits(one, one.times(4), one.times(1000)), books or Books())


def passed(bucket: Budgets, network: str, moment: float) -> bool:
    tab = bucket.tab(b"page", network, secret=False)
    if tab.spent(moment):
        return False
    tab.charge(moment, *ONE)
    return True


def test_a_burst_passes_and_what_follows_is_told_how_long_to_wait() -> None:
    bucket = budgets()
    assert [passed(bucket, "a", 100.0) for _ in range(4)] == [True, True, True, False]
    told = bucket.tab(b"page", "a", secret=False).accounts[0].spent(100.0)
    assert told == (0, 2, 1)
    assert [passed(bucket, "a", moment) for moment in (100.4, 100.5, 100.5, 101.0)] == [False, True, False, True]


def test_networks_keys_and_classes_pay_for_themselves() -> None:
    bucket = budgets(burst=1)
    for digest, network, secret in ((b"x", "a", False), (b"x", "b", False), (b"y", "a", False), (b"z", "a", True)):
        accounts = bucket.tab(digest, network, secret=secret).accounts
        assert not any(account.spent(1.0) for account in accounts)
        accounts[0].charge(1.0, ONE)
        assert accounts[0].spent(1.0) if not secret else len(accounts) == 1


def test_all_networks_of_a_key_together_have_so_many_times_the_budget_of_one() -> None:
    bucket = budgets(per_second=2, burst=3)
    assert sum(passed(bucket, f"network {number}", 5.0) for number in range(40)) == 12
    assert sum(passed(bucket, f"other {number}", 6.0) for number in range(40)) == 8


def test_callers_without_a_network_pay_as_their_key_alone_and_strangers_without_one_nothing() -> None:
    bucket = budgets()
    assert len(bucket.tab(b"page", "", secret=False).accounts) == 1
    assert bucket.strangers("").accounts == ()
    assert len(bucket.strangers("1.1.1.1").accounts) == 1


@pytest.mark.parametrize("kind", range(1, 4))
def test_each_kind_has_a_budget_and_the_debt_of_one_request_is_waited_for(kind: int) -> None:
    account = Account(Books(), b"x", Allowance((FREE, 100.0, 100.0, 100.0), (4.0, 4.0, 4.0, 4.0)))
    used = [0.0, 0.0, 0.0, 0.0]
    used[kind] = 1000.0
    assert account.spent(50.0) is None
    account.charge(50.0, (used[0], used[1], used[2], used[3]))
    assert account.spent(50.0) == (kind, 100.0, 6)
    assert account.spent(55.9) == (kind, 100.0, 1)
    assert account.spent(56.1) is None


@given(st.lists(st.floats(0, 20), min_size=1, max_size=200), st.integers(1, 20), st.integers(1, 10), st.integers(1, 4))
def test_no_caller_ever_gets_more_than_the_rate_and_the_burst_from_all_workers_together(
    times: list[float], per_second: int, burst: int, workers: int
) -> None:
    books = Books()
    crowd = [budgets(books, per_second, burst) for _ in range(workers)]
    moments = sorted(times)
    let_in = sum(passed(crowd[number % workers], "a", moment) for number, moment in enumerate(moments))
    assert let_in <= burst + (moments[-1] - moments[0]) * per_second + 1
    assert let_in >= min(burst, len(times))


def test_processes_that_write_at_the_same_time_let_little_more_pass() -> None:
    board = Board.make(4)
    with multiprocessing.get_context("fork").Pool(4) as pool:
        let_in = sum(pool.map(let_in_by_one, [board.descriptor] * 4, chunksize=1))
    assert 2000 + 10 * 500 <= let_in <= 1.1 * (2000 + 10 * 500)


def test_while_another_worker_writes_what_is_used_is_kept_and_written_when_it_is_done() -> None:
    board = Board.make(2)
    books = Books(board)
    mine, theirs = (budgets(each, per_second=1, burst=2) for each in (books, Books(board)))
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(claimed_by_another, [board.descriptor])
        assert [passed(mine, "a", 1.0) for _ in range(2)] == [True, True]
        assert theirs.tab(b"page", "a", secret=False).spent(1.0) is None
    until(books.claimed, "the end of the other one has released them")
    books.release()
    assert [passed(mine, "a", 1.0), passed(mine, "a", 1.0), passed(theirs, "a", 1.0)] == [True, False, False]


def claimed_by_another(descriptor: int) -> bool:
    """By a process that goes on writing until it is ended."""
    KEPT.append(Board.attach(descriptor))
    return Books(KEPT[0]).claimed()


def let_in_by_one(descriptor: int) -> int:
    """Of 10 seconds with far more requests than may pass; all processes count them from the same moment."""
    bucket = budgets(Books(Board.attach(descriptor)), 500, 2000)
    return sum(passed(bucket, "a", 1000.0 + second) for second in range(11) for _ in range(8000))


def test_where_others_take_all_rows_a_caller_is_not_limited() -> None:
    books = Books()
    account = Account(books, b"late", allowance(1, 1))
    for row in range(ROWS):
        ROW.pack_into(books.map, row * ROW.size, row + 2**40, 9e9, 9e9, 9e9, 9e9)
    for _ in range(5):
        assert account.spent(10.0) is None
        account.charge(10.0, ONE)


def test_an_account_that_owes_nothing_gives_its_row_to_another() -> None:
    books = Books(rows=NEIGHBOURS)
    *first, late = [Account(books, b"%d" % number, allowance(1, 1)) for number in range(NEIGHBOURS + 1)]
    for account in (*first, late):
        account.charge(1.0, ONE)
    assert [account.spent(1.5) is None for account in (*first, late)] == [False] * NEIGHBOURS + [True]
    late.charge(3.0, ONE)
    first[0].charge(3.0, ONE)
    assert late.spent(3.5)
    assert first[0].spent(3.5)


@pytest.mark.parametrize("garbage", [1e300, float("inf")])
def test_what_no_worker_wrote_limits_nobody(garbage: float) -> None:
    books = Books()
    account = Account(books, b"x", allowance(1, 1))
    account.charge(1.0, ONE)
    place = next(at for at in range(0, len(books.map), ROW.size) if ROW.unpack_from(books.map, at)[0])
    ROW.pack_into(books.map, place, ROW.unpack_from(books.map, place)[0], garbage, garbage, garbage, garbage)
    assert account.spent(1.0) is None


def test_whoever_cost_more_than_a_minute_waits_a_minute() -> None:
    account = Account(Books(), b"x", allowance(1, 1))
    account.charge(1.0, (1e6, 0.0, 0.0, 0.0))
    told = account.spent(1.0)
    assert told is not None
    assert told.wait_seconds == 60


@pytest.mark.parametrize(
    ("limits", "body", "budget"),
    [
        ({"rate_limit_per_second": 1, "rate_limit_burst": 1}, {"batch": [{"type": "track"}]}, "requests"),
        ({"budget_cpu_ms": 1}, {"batch": [{"type": "track", "event": "E", "anonymousId": "v"}] * 2000}, "cpu_time"),
        ({"budget_bytes_kb": 1}, {"batch": [{"type": "track", "note": "x" * 9000}]}, "bytes"),
        ({"budget_events": 1}, {"batch": [{"type": "track", "event": "E", "anonymousId": "v"}] * 10}, "events"),
    ],
)
def test_over_http_it_is_429_with_the_budget_and_whole_seconds_and_backends_are_served(
    tmp_path: Path, limits: dict[str, int], body: object, budget: str
) -> None:
    with OneWorker(tmp_path, **limits) as worker, worker.client() as page, worker.client(SECRET) as backend:
        first, second = page.post("/v1/batch", json=body), page.post("/v1/batch", json=body)
        flag = page.post("/ofrep/v1/evaluate/flags/banner", json={"context": {"targetingKey": "v"}})
        order = backend.post("/v1/track", json={"anonymousId": "v", "event": "E"})
    assert (first.status_code, second.status_code, order.status_code) == (200, 429, 200)
    assert int(second.headers["retry-after"]) >= 1
    assert (second.json()["code"], second.json()["budget"]) == ("rate_limited", budget)
    assert (
        f"the budget of {budget.replace('cpu_time', 'CPU time')} of this key from this network"
        in second.json()["detail"]
    )
    assert (flag.status_code, flag.json()["errorCode"]) == (429, "GENERAL")


@pytest.mark.parametrize("proxies", [(), ("127.0.0.1/32",)])
def test_who_goes_on_asking_is_read_from_ten_times_a_second_but_for_what_a_proxy_carries(
    tmp_path: Path, proxies: tuple[str, ...]
) -> None:
    limits = {"rate_limit_per_second": 1, "rate_limit_burst": 1, "trusted_proxies": proxies}
    with OneWorker(tmp_path, **limits) as worker, worker.client() as page:
        resumed = list[bool]()
        assert page.post("/v1/track", json={"anonymousId": "v", "event": "E"}).status_code == 200
        (connection,) = worker.connections()
        resume = connection.flow.resume_reading
        connection.flow.resume_reading = lambda: (resumed.append(True), resume())
        assert page.post("/v1/track", json={"anonymousId": "v", "event": "E"}).status_code == 429
        until(lambda: resumed, "it is read from again")
        assert page.post("/v1/track", json={"anonymousId": "v", "event": "E"}).status_code == 429
        assert connection.network == ("" if proxies else "127.0.0.1")


def test_what_waits_for_the_store_is_charged_too(tmp_path: Path) -> None:
    shown = {"visitor_id": "v", "experiments": ["banner"]}
    with OneWorker(tmp_path, budget_events=1) as worker, worker.client() as page:
        statuses = [page.post("/v1/personalize", json=shown | {"visitor_id": f"v-{n}"}).status_code for n in range(6)]
    assert statuses == [200] * 5 + [429]


@pytest.mark.parametrize("key", ["pk_wrong_key", None])
def test_who_has_no_key_pays_as_their_network_and_those_with_one_are_served(tmp_path: Path, key: str | None) -> None:
    event = {"anonymousId": "v", "event": "E"}
    service = OneWorker(tmp_path, rate_limit_per_second=1, rate_limit_burst=5)
    with service as worker, worker.client(key) as stranger, worker.client() as page:
        first = [stranger.post("/v1/track", json=event).status_code for _ in range(5)]
        until(lambda: stranger.post("/v1/track", json=event).status_code == 429, "it is refused")
        for path in ("/readyz", "/metrics", "/docs", "/openapi.json"):  # one a second may pass, no more
            until(lambda path=path: stranger.get(path).status_code == 429, f"{path} is refused")
        health, known = stranger.get("/healthz"), page.post("/v1/track", json=event)
    assert first == [401] * 5
    assert (health.status_code, known.status_code) == (200, 200)


def test_keys_of_sdk_addresses_are_strangers_too(tmp_path: Path) -> None:
    with OneWorker(tmp_path, rate_limit_per_second=1, rate_limit_burst=2) as worker, worker.client(None) as client:
        first = client.get("/api/features/pk_wrong_key").status_code
        until(lambda: client.get("/api/features/pk_wrong_key").status_code == 429, "it is refused")
        right = client.get(f"/api/features/{PUBLISHABLE}").status_code
    assert (first, right) == (400, 200)


def test_cold_routes_are_charged_what_they_cost(tmp_path: Path) -> None:
    with OneWorker(tmp_path, budget_cpu_ms=1) as worker, worker.client() as page:
        statuses = [page.get("/v1/recommendations/sku-1").status_code for _ in range(40)]
    assert statuses[0] == 200
    assert statuses[-1] == 429


def test_there_is_a_name_for_each_kind() -> None:
    assert len(KINDS) == len(set(KINDS)) == 4
