-- The rows of an imported table that lack nothing.
SELECT u.*
FROM units AS u
WHERE $whole
