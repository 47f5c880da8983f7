-- Of those who started a checkout the ones that are believed most, and how many visitors they are.
SELECT s.order_key, s.visitor_id, s.user_id, s.authority, s.time, h.visitors
FROM checkout_starts AS s
JOIN (
  SELECT g.order_key, g.authority, g.visitors, row_number() OVER (PARTITION BY g.order_key ORDER BY g.authority DESC) AS place
  FROM (
    SELECT c.order_key, c.authority, count(*) AS visitors
    FROM checkout_starts AS c
    GROUP BY c.order_key, c.authority
  ) AS g
) AS h ON h.order_key = s.order_key AND h.authority = s.authority
WHERE h.place = 1
