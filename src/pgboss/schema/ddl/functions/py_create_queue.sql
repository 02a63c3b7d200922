-- Adds a queue and, when asked, a job table of its own. A queue of that name is left as it is, without a word.
CREATE OR REPLACE FUNCTION {{schema}}.py_create_queue(queue_name text, options jsonb)
  RETURNS void
  LANGUAGE plpgsql
AS $body$
DECLARE
  own_table boolean := COALESCE((options->>'partition')::boolean, false);
  job_table text := 'job_common';
BEGIN
  IF own_table THEN
    job_table := 'j' || encode(sha224(convert_to(queue_name, 'UTF8')), 'hex');
  END IF;

  INSERT INTO {{schema}}.queue (
    name, policy, partition, table_name, created_on, updated_on,
    retry_limit,
    retry_delay,
    retry_backoff,
    retry_delay_max,
    expire_seconds,
    retention_seconds,
    deletion_seconds,
    warning_queued,
    dead_letter,
    heartbeat_seconds,
    notify
  )
  VALUES (
    queue_name, options->>'policy', own_table, job_table, {{schema}}.job_now(), {{schema}}.job_now(),
    COALESCE((options->>'retryLimit')::integer, 2),
    COALESCE((options->>'retryDelay')::integer, 0),
    COALESCE((options->>'retryBackoff')::boolean, false),
    (options->>'retryDelayMax')::integer,
    COALESCE((options->>'expireInSeconds')::integer, 900),
    COALESCE((options->>'retentionSeconds')::integer, 1209600),
    COALESCE((options->>'deleteAfterSeconds')::integer, 604800),
    COALESCE((options->>'warningQueueSize')::integer, 0),
    options->>'deadLetter',
    (options->>'heartbeatSeconds')::integer,
    COALESCE((options->>'notify')::boolean, false)
  )
  ON CONFLICT DO NOTHING;

  IF NOT FOUND OR NOT own_table THEN
    RETURN;
  END IF;

  EXECUTE format('CREATE TABLE {{schema}}.%I (LIKE {{schema}}.job INCLUDING DEFAULTS)', job_table);
  PERFORM {{schema}}.py_build_job_table(job_table, options->>'policy');
  -- With the check in place, attaching need not scan the table.
  EXECUTE format('ALTER TABLE {{schema}}.%I ADD CONSTRAINT cjc CHECK (name = %L)', job_table, queue_name);
  EXECUTE format('ALTER TABLE {{schema}}.job ATTACH PARTITION {{schema}}.%I FOR VALUES IN (%L)', job_table, queue_name);
END
$body$;
