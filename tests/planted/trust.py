"""Faults of whom the service believes, what it shows to whom, and what others may do to it."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

HTTP = "tests/app/serving"
OTHER_USERS = "tests/app/processes/test_other_users.py"
BELIEVED = "tests/experiments/readout/test_believed.py"
LAW = "tests/reliability/test_law.py"
OVER_HTTP = "tests/reliability/test_law_over_http.py"
SOURCES = "tests/recommender/training/test_sources.py"

TRUST: Mapping[str, Mutation] = {
    "followed_claims": Mutation(
        "access and erasure follow what a page says of who is whom",
        ("tests/events/privacy/test_person.py", "tests/app/management/test_people.py"),
        (Edit("events/privacy/person.py", "return self.authority > Authority.PAGE", "return self.authority >= 0"),),
    ),
    "erased_neighbour": Mutation(
        "compaction drops what another user did in the browser of an erased one, which readers still see",
        ("tests/events/privacy/test_person.py",),
        (
            Edit(
                "events/writer/compaction.py",
                "~erased(table, parts[0].shard, stones)",
                '~erased(table, parts[0].shard, [__import__("msgspec").structs.replace(stone, unnamed=False) '
                "for stone in stones])",
            ),
        ),
    ),
    "believed_exposures": Mutation(
        "an exposure to a variant that the hash does not give is believed",
        ("tests/app/intake/test_tracking.py::test_a_client_exposure_is_named_judged_and_kept",),
        (Edit("app/intake/judging.py", "forged=record.visitor_id not in newest.previewed", "forged=False"),),
    ),
    "keys_in_logs": Mutation(
        "log lines are not redacted",
        ("tests/app/runtime/test_logs.py",),
        (
            Edit(
                "app/runtime/logs.py",
                "return self.redact(json.dumps(line, default=str, ensure_ascii=True))",
                "return json.dumps(line, default=str, ensure_ascii=True)",
            ),
        ),
    ),
    "drafts_on_pages": Mutation(
        "a route answers a page from the whole catalogue",
        ("tests/app/routes/test_released.py::test_no_public_answer_tells_of_what_is_not_released",),
        (
            Edit(
                "app/routes/evaluation.py",
                "    visible = resources.visible_to(grant, now)",
                "    visible = resources.catalogs.catalog.full",
            ),
        ),
    ),
    "unsigned_links": Mutation(
        "whoever writes a preview link makes one",
        ("tests/app/identity/test_preview_links.py",),
        (
            Edit(
                "app/identity/preview_links.py",
                '"verify_exp": False,',
                '"verify_exp": False, "verify_signature": False,',
            ),
        ),
    ),
    "stored_links": Mutation(
        "the tokens of preview links are stored with events",
        ("tests/app/routes/test_previews.py::test_a_link_is_stored_nowhere",),
        (
            Edit("events/scrubbing.py", 'frozenset({"resonatepreview", "resonateusertoken"})', "frozenset[str]()"),
            Edit("events/addresses.py", '    "resonatepreview": "token",\n', ""),
        ),
    ),
    "unpaid_endings": Mutation(
        "what an answer costs once the log has its exposure is paid by nobody",
        ("tests/app/limits/test_metering.py",),
        (Edit("app/http/dispatch.py", "exchange.cpu_seconds += self._clock.since(began)", "del began"),),
    ),
    "counted_drafts": Mutation(
        "an exposure that a page reports is held against what has not begun, and the counters tell",
        ("tests/app/routes/test_released.py::test_no_public_answer_tells_of_what_is_not_released",),
        (
            Edit(
                "app/intake/judging.py",
                "resources.visible_to(grant, now_seconds())",
                "resources.catalogs.catalog.full",
            ),
        ),
    ),
    "read_by_upgrade": Mutation(
        "a request that asks for an upgrade ends with its head",
        ("tests/app/http/test_foreign_clients.py::test_curl_is_answered_and_heard_when_it_offers_http_2",),
        (Edit("app/serving/protocol.py", "(parser.should_upgrade() and self.put_off(parser.get_method()))", "False"),),
    ),
    "overtaking_refusal": Mutation(
        "a refusal overtakes the answers before it",
        (f"{HTTP}/test_framing.py::test_the_answers_do_not_depend_on_how_the_bytes_are_cut",),
        (
            Edit(
                "app/serving/bounded.py",
                "            self.last_word = word\n",
                "            self.transport.write(word)\n            self.transport.close()\n",
            ),
        ),
    ),
    "steering_trailers": Mutation(
        "what comes behind a chunked body counts among its headers",
        (f"{HTTP}/test_framing.py::test_the_answers_do_not_depend_on_how_the_bytes_are_cut",),
        (Edit("app/serving/protocol.py", "if not self.in_head:  # a trailer", "if False:  # a trailer"),),
    ),
    "open_to_the_machine": Mutation(
        "what the processes make may be read by every user of the machine",
        (f"{OTHER_USERS}::test_no_file_folder_or_socket_of_a_whole_life_is_open_to_another_user",),
        (Edit("kit/private.py", "OTHERS: Final = 0o077", "OTHERS: Final = 0o022"),),
    ),
    "premade_folder": Mutation(
        "sockets are put into a folder that somebody else made",
        (f"{OTHER_USERS}::test_a_folder_for_sockets_that_someone_made_before_is_not_used", "tests/kit/test_private.py"),
        (
            Edit(
                "kit/private.py", "    if not stat.S_ISDIR(found.st_mode) or found", "    if found.st_mode < 0 < found"
            ),
        ),
    ),
    "order_of_anybody": Mutation(
        "an order is whose copy came first, whoever sent it",
        (LAW,),
        (
            Edit(
                "events/views/ranked_copies.sql",
                "CASE WHEN k.own_visitor IS NULL THEN 1 ELSE 0 END, k.authority DESC,",
                "CASE WHEN k.own_visitor IS NULL THEN 1 ELSE 0 END,",
            ),
        ),
    ),
    "value_of_anybody": Mutation(
        "an order is worth what its first copy says",
        (LAW,),
        (
            Edit(
                "events/views/ranked_copies.sql",
                "CASE WHEN k.value IS NULL THEN 1 ELSE 0 END, k.authority DESC,",
                "CASE WHEN k.value IS NULL THEN 1 ELSE 0 END,",
            ),
        ),
    ),
    "time_of_anybody": Mutation(
        "an order happened when its earliest copy says",
        (LAW,),
        (
            Edit(
                "events/views/ranked_copies.sql",
                "(PARTITION BY k.order_key ORDER BY k.authority DESC, k.time",
                "(PARTITION BY k.order_key ORDER BY k.time",
            ),
        ),
    ),
    "refund_of_anybody": Mutation(
        "a refund takes away whoever tells of it",
        (LAW,),
        (
            Edit(
                "events/views/orders.py",
                "e.authority >= greatest(p.value_authority, CASE WHEN p.value IS NULL THEN p.authority ELSE $page END)",
                "e.authority >= $page",
            ),
        ),
    ),
    "owner_of_anybody": Mutation(
        "a user is the visitor whom anybody first joined with them",
        (LAW,),
        (
            Edit(
                "experiments/cube/sql/owners_first_touch_visitor.sql",
                "ORDER BY p.authority DESC, p.exposed_at",
                "ORDER BY p.exposed_at",
            ),
        ),
    ),
    "checkout_of_anybody": Mutation(
        "an order of nobody goes to the checkout that is believed least",
        (BELIEVED, LAW),
        (Edit("events/views/checkout_claims.sql", "ORDER BY g.authority DESC", "ORDER BY g.authority"),),
    ),
    "order_owner_of_anybody": Mutation(
        "what names the owner of an order goes by its kind before its authority",
        (BELIEVED,),
        (
            Edit(
                "experiments/cube/sql/order_owners.sql",
                "ORDER BY least(e.authority, o.authority) DESC, e.preference",
                "ORDER BY e.preference",
            ),
        ),
    ),
    "metric_of_anybody": Mutation(
        "from: backend counts whatever was sent",
        (LAW,),
        (Edit("events/engines/duckdb.py", 'WHERE authority >= {each:d}"', 'WHERE authority >= 0"'),),
    ),
    "enrolled_by_anybody": Mutation(
        "a user is enrolled with the authority of a backend by whoever names them",
        (BELIEVED,),
        (
            Edit(
                "experiments/cube/sql/owners_first_touch_user.sql",
                "u.exposed_at, u.authority\nFROM units AS u\nWHERE u.authority >= $least",
                "u.exposed_at, 2 AS authority\nFROM units AS u",
            ),
        ),
    ),
    "trained_on_claims": Mutation(
        "training takes a page at its word who its visitor is",
        (SOURCES,),
        (Edit("recommender/training/order_lines.sql", "WHERE e.authority > $page\n", "WHERE e.authority >= $page\n"),),
    ),
    "copied_exposures": Mutation(
        "a copied messageId takes an enrolment away",
        ("tests/events/deletes/test_hidden.py",),
        (
            Edit(
                "events/deletes/duplicates.py",
                '(since < NEVER) & (table.column("type").to_numpy(zero_copy_only=False) != EXPOSURE)',
                "since < NEVER",
            ),
        ),
    ),
    "copied_ids": Mutation(
        "of copies with one messageId the one that is believed least counts",
        ("tests/events/deletes/test_hidden.py",),
        (Edit("events/deletes/duplicates.py", "told = authorities >= authority", "told = authorities < authority"),),
    ),
    "door_of_anybody": Mutation(
        "the door takes a messageId for known whoever sent it first",
        ("tests/events/ingest/test_stream_contract.py", OVER_HTTP),
        (Edit("events/ingest/group_commit.py", "_IDS[record.authority].copy()", "_IDS[Authority.PAGE].copy()"),),
    ),
    "history_of_anybody": Mutation(
        "a page writes the purchases of the user whom it names",
        ("tests/events/ingest/test_history.py", OVER_HTTP),
        (
            Edit(
                "events/ingest/history.py",
                "if record.user_id is not None and record.authority > OF_PAGE:",
                "if record.user_id is not None:",
            ),
        ),
    ),
    "asked_for_anybody": Mutation(
        "a page is answered by the purchases of the user whom it names",
        ("tests/app/routes/test_user_proof.py",),
        (Edit("app/identity/people.py", "if authority > Authority.PAGE and user_id:", "if user_id:"),),
    ),
}
