-- What lately exposed visitors were: the attributes that their assignments were decided on.
SELECT
  e.visitor_id,
  e.properties
FROM events AS e
WHERE e.type = 'exposure'
  AND e.time >= $since
  AND e.properties IS NOT NULL
  AND NOT e.bot AND NOT e.forged AND NOT e.forced
LIMIT 20000
