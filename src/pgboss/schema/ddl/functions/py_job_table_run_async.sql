-- The same as py_job_table_run, put off: every table's command becomes a row of `bam`.
CREATE OR REPLACE FUNCTION {{schema}}.py_job_table_run_async(
  command_name text, version integer, command text, tbl_name text, queue_name text
)
  RETURNS void
  LANGUAGE plpgsql
AS $body$
BEGIN
  INSERT INTO {{schema}}.bam (name, version, status, queue, table_name, command)
  SELECT $1, $2, 'pending', t.queue, t.job_table, {{schema}}.py_job_table_format($3, t.job_table)
    FROM {{schema}}.py_job_tables(tbl_name, queue_name) t;
END
$body$;
