-- How many orders and tickets each person had on each shop day of a span; a row of tickets has their channel.
SELECT
  CAST(dense_rank() OVER (ORDER BY b.person) AS BIGINT) AS person,
  b.day,
  b.channel,
  CAST(sum(b.orders) AS BIGINT) AS orders,
  CAST(sum(b.tickets) AS BIGINT) AS tickets
FROM (
  SELECT f.person, $day AS day, '' AS channel, 1 AS orders, 0 AS tickets
  FROM people_orders AS f
  WHERE f.time >= $since AND $member
  UNION ALL
  SELECT k.person, k.day, k.channel, 0 AS orders, 1 AS tickets
  FROM ticket_rows AS k
  WHERE k.opened_at IS NOT NULL
) AS b
GROUP BY b.person, b.day, b.channel
ORDER BY b.person
