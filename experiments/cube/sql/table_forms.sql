-- What stands in a column of texts: a row per form of a cell, with how many rows have it and the first of them.
SELECT
  f.form,
  f.currency,
  f.percent,
  CAST(sum(f.n) AS BIGINT) AS n,
  min(f.first_row) AS first_row,
  arg_min(f.cell, f.first_row) AS cell,
  list(f.cell) FILTER (WHERE f.form IN ('true', 'false')) AS spellings
FROM (
  SELECT
    b.cell,
    b.n,
    b.first_row,
    nullif(b.currency, '') AS currency,
    b.percent,
    CASE
      WHEN b.cell IS NULL OR $missing THEN 'missing'
      WHEN $truths THEN 'true'
      WHEN $falsehoods THEN 'false'
      WHEN b.bare IN ('0', '1') THEN 'bit'
      WHEN regexp_full_match(b.bare, '\d+(e[+-]?\d+)?') THEN 'whole'
      WHEN regexp_full_match(b.bare, '[1-9]\d{0,2},\d{3}') THEN 'comma_or_group'
      WHEN regexp_full_match(b.bare, '[1-9]\d{0,2}\.\d{3}') THEN 'point_or_group'
      WHEN regexp_full_match(b.bare, '(\d+\.\d*|\.\d+)(e[+-]?\d+)?|\d{1,3}(,\d{3})+\.\d*|\d{1,3}(,\d{3}){2,}') THEN 'point'
      WHEN regexp_full_match(b.bare, '(\d+,\d*|,\d+)(e[+-]?\d+)?|\d{1,3}(\.\d{3})+,\d*|\d{1,3}(\.\d{3}){2,}') THEN 'comma'
      WHEN regexp_full_match(b.bare, 'inf|infinity') THEN 'infinite'
      WHEN b.word = $header THEN 'header'
      WHEN regexp_full_match(b.word, '#[a-zéü0/]+[!?]?') THEN 'spreadsheet_error'
      WHEN regexp_full_match(b.word, '\d+:\d{2}(:\d{2}([.,]\d+)?)?( ?[ap]m)?') THEN 'time'
      WHEN $dates THEN 'date'
      ELSE 'text'
    END AS form
  FROM (
    SELECT
      d.cell,
      d.n,
      d.first_row,
      $word AS word,
      $bare AS bare,
      $currency AS currency,
      $percent AS percent
    FROM (
      SELECT CAST($cell AS VARCHAR) AS cell, count(*) AS n, min(c.row) AS first_row
      FROM cells AS c
      GROUP BY CAST($cell AS VARCHAR)
    ) AS d
  ) AS b
) AS f
GROUP BY f.form, f.currency, f.percent
ORDER BY min(f.first_row)
