-- The units of each arm by the mode of consent under which their first exposure was stored.
SELECT u.arm, e.consent, count(*) AS n
FROM units AS u
JOIN events AS e ON e.stream_id = u.stream_id AND e.shard = u.shard AND e.position = u.position
GROUP BY u.arm, e.consent
