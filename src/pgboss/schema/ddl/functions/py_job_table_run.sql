CREATE OR REPLACE FUNCTION {{schema}}.py_job_table_run(command text, tbl_name text, queue_name text)
  RETURNS void
  LANGUAGE plpgsql
AS $body$
DECLARE
  target text;
BEGIN
  FOR target IN SELECT t.job_table FROM {{schema}}.py_job_tables(tbl_name, queue_name) t LOOP
    EXECUTE {{schema}}.py_job_table_format(command, target);
  END LOOP;
END
$body$;
