-- What people say of themselves, and backends of tickets: the rows that surveys and tickets are made of, of a span.
SELECT
  coalesce(nullif(e.user_id, ''), w.user_id, nullif(e.visitor_id, ''), concat('ticket:', $ticket)) AS person,
  e.event,
  e.time,
  e.authority,
  e.stream_id,
  e.shard,
  e.position,
  e.value AS score,
  lower(coalesce($survey, '')) AS survey,
  $kind AS kind,
  coalesce($channel, '') AS channel,
  $ticket AS ticket,
  lower(coalesce($by, '')) AS answered_by,
  coalesce(e.device, '') AS device,
  coalesce(e.country, '') AS country
FROM events AS e
LEFT JOIN people AS w ON w.visitor_id = e.visitor_id
WHERE e.type = 'track'
  AND e.event IN ('Survey Answered', 'Survey Shown', 'Ticket Opened', 'Ticket Answered', 'Ticket Resolved', 'Ticket Reopened')
  AND NOT e.bot
  AND e.time < $until
