CREATE OR REPLACE FUNCTION {{schema}}.job_now()
  RETURNS timestamptz
  LANGUAGE sql STABLE
RETURN pg_catalog.now();
