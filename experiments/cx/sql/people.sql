-- Whom a visitor is: the user whom it was seen with, of several the one that is believed most, then the first.
SELECT k.visitor_id, k.user_id
FROM (
  SELECT
    g.visitor_id,
    g.user_id,
    row_number() OVER (PARTITION BY g.visitor_id ORDER BY g.authority DESC, g.known_at, g.user_id) AS n
  FROM edges AS g
  WHERE g.place = 1
) AS k
WHERE k.n = 1
