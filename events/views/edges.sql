-- Who is whom: every visitor id that was seen together with a user id, by how far that is believed, and since when it is
-- known, until the readout closed. What pages tell gives a visitor its first user only, and by an alias none to an id
-- that is a user's itself.
SELECT p.user_id, p.visitor_id, p.authority, p.known_at, p.place
FROM (
  SELECT
    g.user_id,
    g.visitor_id,
    g.authority,
    g.known_at,
    CASE WHEN g.authority > $page THEN 1 ELSE row_number() OVER (PARTITION BY g.visitor_id, g.authority ORDER BY g.first_place) END AS place
  FROM (
    SELECT
      e.user_id,
      e.visitor_id,
      e.authority,
      min(e.received_at) AS known_at,
      min(CAST(e.stream_id AS DECIMAL(38, 0)) * 1048576 + e.position) AS first_place
    FROM events AS e
    WHERE e.user_id IS NOT NULL
      AND e.user_id <> ''
      AND e.user_id <> e.visitor_id
      AND e.received_at <= $known_until
      AND (e.type <> 'alias' OR e.authority > $page OR e.visitor_id NOT IN (
        SELECT u.user_id
        FROM events AS u
        JOIN (SELECT DISTINCT a.visitor_id FROM events AS a WHERE a.type = 'alias') AS b ON b.visitor_id = u.user_id
      ))
    GROUP BY e.user_id, e.visitor_id, e.authority
  ) AS g
) AS p
