"""Faults of the service's own address, of what SDKs keep, and of streams."""

from collections.abc import Mapping

from planted.fault import Edit, Mutation

ADDRESS = "tests/app/http/test_address.py"
COMPRESSION = "tests/app/http/test_compression.py"
PROXIES = "tests/app/http/test_proxies.py"
SDKS = "tests/app/delivery/test_official_sdks.py"
STREAMS = "tests/app/delivery/test_streams.py"
PAYLOAD = "tests/app/delivery/test_sdk_payload.py"
FRAMING = "tests/app/serving/test_framing.py"

DELIVERY: Mapping[str, Mutation] = {
    "address_of_strangers": Mutation(
        "whoever forwards is believed",
        (f"{ADDRESS}::test_the_address_is_the_configured_one_else_a_trusted_proxys_else_that_of_the_request",),
        (Edit("app/http/address.py", "forwarded(headers) if trusted else", "forwarded(headers) if True else"),),
    ),
    "address_in_caches": Mutation(
        "caches keep an answer with the address of whoever asked first",
        (f"{ADDRESS}::test_an_address_that_is_not_configured_stands_in_no_answer_that_caches_keep",),
        (Edit("app/http/address.py", 'if self.is_configured else "no-store"', 'if True else "no-store"'),),
    ),
    "lost_prefix": Mutation(
        "a path behind the prefix is answered where a proxy strips it alone",
        (f"{ADDRESS}::test_every_path_works_with_the_prefix_and_without",),
        (Edit("app/http/address.py", "            yield self.prefix\n", '            yield ""\n'),
         Edit("app/http/address.py", "if self._prefix and without_prefix(", "if False and without_prefix(")),
    ),
    "gzip_for_all": Mutation(
        "answers are packed for who did not ask for it",
        (f"{COMPRESSION}::test_who_refuses_gzip_gets_none",),
        (Edit("app/http/compression.py", 'and (found["weight"] or "1").strip("0.") != ""', ""),),
    ),
    "buffered_streams": Mutation(
        "proxies are not told to pass streams on",
        (f"{PROXIES}::test_streams_pass_unbuffered",),
        (Edit("app/http/streams.py", '    (b"x-accel-buffering", b"no"),\n', ""),),
    ),
    "sticky_phases": Mutation(
        "SDKs keep the variant of an earlier phase",
        (f"{SDKS}::test_growthbooks_python_sdk_with_a_filled_sticky_store_follows_the_server",),
        (Edit("experiments/assignment/payload.py", '        "disableStickyBucketing": True,\n', ""),
         Edit("experiments/assignment/payload.py", '        "bucketVersion": experiment.phase,\n', "")),
    ),
    "shut_out_of_phases": Mutation(
        "SDKs leave out who was in an earlier phase",
        (f"{SDKS}::test_what_clients_keep_is_no_state_of_an_earlier_phase",),
        (Edit("experiments/assignment/payload.py", '"bucketVersion": experiment', '"minBucketVersion": experiment'),),
    ),
    "tracked_when_forced": Mutation(
        "what a developer forces is tracked",
        (f"{SDKS}::test_what_is_forced_carries_no_tracks",),
        (Edit("app/routes/growthbook.py", "    if not assignment.enrols:", "    if assignment.because is not None:"),),
    ),
    "streams_of_ended_keys": Mutation(
        "a stream outlives its key",
        (f"{STREAMS}::test_a_stream_ends_with_its_key",),
        (Edit("app/http/streams.py", "if not self._keys.stands(holders.grant):", "if False:"),),
    ),
    "queues_of_streams": Mutation(
        "what a slow page does not take waits for it, version by version",
        (f"{STREAMS}::test_who_takes_nothing_skips_to_the_newest",),
        (Edit("app/serving/streaming.py", "is not said and not self._paused", "is not said"),),
    ),
    "streams_without_end": Mutation(
        "as many streams are open as pages like",
        (f"{STREAMS}::test_beyond_the_limit_clients_are_told_to_ask_for_the_state",),
        (Edit("app/http/streams.py", "if len(self.open) >= self.most:", "if False:"),),
    ),
    "streams_tell_of_drafts": Mutation(
        "the version that pages are told of changes with what they may not see",
        (f"{STREAMS}::test_drafts_wake_nobody_but_who_has_a_secret_key",),
        (Edit("app/delivery/streams.py", "resources.visible_to(grant, now), now, secret=grant.secret).said",
              "resources.catalogs.catalog.full, now, secret=grant.secret).said"),),
    ),
    "answers_from_before": Mutation(
        "who was told of a change by one worker is answered by another from what was before it",
        (f"{STREAMS}::test_who_was_told_by_another_worker_is_not_answered_from_what_was_before",),
        (Edit("app/delivery/streams.py", "        resources.catch_up()\n", "        pass\n"),),
    ),
    "dates_of_workers": Mutation(
        "a payload is of the time at which a worker made it",
        (f"{PAYLOAD}::test_one_etag_stands_for_the_same_bytes_in_every_worker_and_after_a_restart",),
        (Edit("app/delivery/payload.py", "return round(max(since, visible.published) * 1_000)",
              'return round(__import__("time").time() * 1_000)'),),
    ),
    "undated_etags": Mutation(
        "a payload of another date has the same ETag",
        (f"{PAYLOAD}::test_one_etag_stands_for_the_same_bytes_in_every_worker_and_after_a_restart",),
        (Edit("app/delivery/payload.py", "% (version, changed)  #", "% (version, 0)  #"),),
    ),
    "chunks_of_http_1_0": Mutation(
        "HTTP/1.0 is answered in chunks",
        (f"{FRAMING}::test_an_answer_whose_length_nobody_tells_ends_with_the_connection_of_http_1_0",),
        (Edit("app/serving/framing.py", 'if cycle.scope["http_version"] != "1.0":', "if cycle:"),),
    ),
}  # fmt: skip
