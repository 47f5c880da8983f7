-- Tickets, one row each: when it was opened by whom where, first answered by a person, resolved so that it still
-- stands, and whether it was reopened once resolved. Only what backends tell counts; order of arrival says nothing.
SELECT
  CAST(dense_rank() OVER (ORDER BY f.ticket) AS BIGINT) AS ticket,
  coalesce(f.opened_at, f.seen_at) AS since,
  $day AS day,
  f.opened_at,
  f.person,
  f.channel,
  f.device,
  f.country,
  f.answered_at,
  f.first_resolved_at,
  CASE WHEN f.reopened_at > f.resolved_at THEN NULL ELSE f.resolved_at END AS resolved_at,
  CASE WHEN f.reopened_at > f.first_resolved_at THEN 1 ELSE 0 END AS reopened
FROM (
  SELECT
    t.ticket,
    min(t.time) AS seen_at,
    min(CASE WHEN t.event = 'Ticket Opened' THEN t.time END) AS opened_at,
    min(CASE WHEN t.place = 1 THEN t.person END) AS person,
    coalesce(min(CASE WHEN t.place = 1 THEN t.channel END), '') AS channel,
    coalesce(min(CASE WHEN t.place = 1 THEN t.device END), '') AS device,
    coalesce(min(CASE WHEN t.place = 1 THEN t.country END), '') AS country,
    min(CASE WHEN t.event = 'Ticket Answered' AND t.answered_by = 'agent' THEN t.time END) AS answered_at,
    min(CASE WHEN t.event = 'Ticket Resolved' THEN t.time END) AS first_resolved_at,
    max(CASE WHEN t.event = 'Ticket Resolved' THEN t.time END) AS resolved_at,
    max(CASE WHEN t.event = 'Ticket Reopened' THEN t.time END) AS reopened_at
  FROM (
    SELECT
      k.*,
      row_number() OVER (PARTITION BY k.ticket ORDER BY CASE WHEN k.event = 'Ticket Opened' THEN 0 ELSE 1 END, k.time, k.stream_id, k.shard, k.position) AS place
    FROM told AS k
    WHERE k.ticket IS NOT NULL AND k.ticket <> '' AND k.event LIKE 'Ticket %' AND k.authority >= $backend
  ) AS t
  GROUP BY t.ticket
) AS f
WHERE coalesce(f.opened_at, f.seen_at) >= $since AND $member
