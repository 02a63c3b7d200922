-- Rewrites a command about `job` and its indexes `job_i<number>` for one physical table.
-- The text goes through format(), which is why a percent sign in the command is refused.
CREATE OR REPLACE FUNCTION {{schema}}.py_job_table_format(command text, table_name text)
  RETURNS text
  LANGUAGE sql IMMUTABLE
AS $body$
  SELECT format(
    regexp_replace(
      regexp_replace(command, '\mjob_i(\d+)', '%1$s_i\1', 'g'),
      '\.job\M', '.%1$I', 'g'
    ),
    table_name
  )
$body$;
