CREATE OR REPLACE FUNCTION {{schema}}.job_table_format(command text, table_name text)
  RETURNS text
  LANGUAGE sql IMMUTABLE
RETURN {{schema}}.py_job_table_format(command, table_name);
