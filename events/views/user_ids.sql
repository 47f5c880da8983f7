-- The distinct user ids of the log, and how many of them are e-mail addresses.
SELECT count(*) AS n, coalesce(sum(CASE WHEN $email THEN 1 ELSE 0 END), 0) AS emails
FROM (SELECT DISTINCT e.user_id AS id FROM events AS e WHERE e.user_id IS NOT NULL AND e.user_id <> '') AS i
