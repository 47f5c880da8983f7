-- Each order that was reported more than once: every field from the copy of highest authority that says it, of equal
-- ones the earliest. -1 is the authority of what nobody says.
SELECT
  c.order_key,
  max(CASE WHEN c.visitor_place = 1 THEN c.own_visitor END) AS own_visitor,
  max(CASE WHEN c.visitor_place = 1 AND c.own_visitor IS NOT NULL THEN c.authority ELSE -1 END) AS visitor_authority,
  max(CASE WHEN c.user_place = 1 THEN c.user_id END) AS user_id,
  max(CASE WHEN c.user_place = 1 AND c.user_id IS NOT NULL THEN c.authority ELSE -1 END) AS user_authority,
  max(CASE WHEN c.place = 1 THEN c.time END) AS time,
  max(c.authority) AS authority,
  max(CASE WHEN c.value_place = 1 THEN c.value END) AS value,
  max(CASE WHEN c.value_place = 1 THEN c.currency END) AS currency,
  max(CASE WHEN c.value_place = 1 AND c.value IS NOT NULL THEN c.authority ELSE -1 END) AS value_authority
FROM ranked_copies AS c
GROUP BY c.order_key
