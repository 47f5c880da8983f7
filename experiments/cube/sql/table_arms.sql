-- One row per variant of an imported table (and level, where that is added); the moments of each metric are added.
SELECT u.variant, count(*) AS n
FROM units AS u
GROUP BY ALL
