-- Removes a queue with its jobs; schedules and subscriptions go with its row. An unknown name is no error.
CREATE OR REPLACE FUNCTION {{schema}}.py_delete_queue(queue_name text)
  RETURNS void
  LANGUAGE plpgsql
AS $body$
DECLARE
  job_table text;
  own_table boolean;
BEGIN
  SELECT q.table_name, q.partition INTO job_table, own_table
    FROM {{schema}}.queue q
   WHERE q.name = queue_name;

  IF NOT FOUND THEN
    RETURN;
  END IF;

  -- Whatever the row claims, the table that all other queues share is never dropped.
  IF own_table AND job_table <> 'job_common' THEN
    EXECUTE format('DROP TABLE IF EXISTS {{schema}}.%I', job_table);
  ELSE
    EXECUTE format('DELETE FROM {{schema}}.%I WHERE name = $1', job_table) USING queue_name;
  END IF;

  DELETE FROM {{schema}}.queue q WHERE q.name = queue_name;
END
$body$;
