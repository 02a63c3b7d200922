-- The physical job tables a command is meant for: the queue's when one is named, else the given table, and
-- without either the shared table and the partition of every queue that has one.
CREATE OR REPLACE FUNCTION {{schema}}.py_job_tables(tbl_name text, queue_name text)
  RETURNS TABLE (queue text, job_table text)
  LANGUAGE plpgsql STABLE
AS $body$
DECLARE
  target text := tbl_name;
BEGIN
  IF queue_name IS NOT NULL THEN
    target := (SELECT q.table_name FROM {{schema}}.queue q WHERE q.name = queue_name);
  END IF;

  IF target IS NOT NULL THEN
    RETURN QUERY SELECT queue_name, target;
    RETURN;
  END IF;

  RETURN QUERY
    SELECT NULL::text, 'job_common'
    UNION ALL
    SELECT q.name, q.table_name FROM {{schema}}.queue q WHERE q.partition;
END
$body$;
