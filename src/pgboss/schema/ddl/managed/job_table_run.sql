CREATE OR REPLACE FUNCTION {{schema}}.job_table_run(
  command text, tbl_name text DEFAULT NULL, queue_name text DEFAULT NULL
)
  RETURNS void
  LANGUAGE sql
RETURN {{schema}}.py_job_table_run(command, tbl_name, queue_name);
