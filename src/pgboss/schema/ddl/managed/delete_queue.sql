CREATE OR REPLACE FUNCTION {{schema}}.delete_queue(queue_name text)
  RETURNS void
  LANGUAGE sql
RETURN {{schema}}.py_delete_queue(queue_name);
