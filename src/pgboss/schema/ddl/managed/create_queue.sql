CREATE OR REPLACE FUNCTION {{schema}}.create_queue(queue_name text, options jsonb)
  RETURNS void
  LANGUAGE sql
RETURN {{schema}}.py_create_queue(queue_name, options);
