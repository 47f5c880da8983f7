-- On which day each unit entered.
SELECT u.unit, $entered AS entered
FROM units AS u
WHERE u.exposed_at <= $mature
