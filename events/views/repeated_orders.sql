-- Orders that were reported more than once.
SELECT k.order_key
FROM order_copies AS k
GROUP BY k.order_key
HAVING count(*) > 1
