-- The order counts: `state < 'active'` means waiting, `state > 'active'` means over.
CREATE TYPE "pgboss".job_state AS ENUM ('created', 'retry', 'active', 'completed', 'cancelled', 'failed');

-- One row: the version of the schema, and when each cluster-wide duty was last claimed.
CREATE TABLE "pgboss".version (
  version               integer PRIMARY KEY,
  cron_on               timestamptz,
  bam_on                timestamptz,
  flow_on               timestamptz,
  reindex_on            timestamptz,
  monitor_backoff_on    timestamptz
);

-- One row a queue: its options, the monitor's cached figures, and who last claimed which duty for it.
CREATE TABLE "pgboss".queue (
  name                  text PRIMARY KEY,
  policy                text NOT NULL,
  retry_limit           integer NOT NULL,
  retry_delay           integer NOT NULL,
  retry_backoff         boolean NOT NULL,
  retry_delay_max       integer,
  expire_seconds        integer NOT NULL,
  retention_seconds     integer NOT NULL,
  deletion_seconds      integer NOT NULL,
  dead_letter           text REFERENCES "pgboss".queue (name),
  partition             boolean NOT NULL,
  table_name            text NOT NULL,
  deferred_count        integer NOT NULL DEFAULT 0,
  blocked_count         integer NOT NULL DEFAULT 0,
  queued_count          integer NOT NULL DEFAULT 0,
  ready_count           integer NOT NULL DEFAULT 0,
  warning_queued        integer NOT NULL DEFAULT 0,
  active_count          integer NOT NULL DEFAULT 0,
  failed_count          integer NOT NULL DEFAULT 0,
  total_count           integer NOT NULL DEFAULT 0,
  retained_count        integer,
  retained_on           timestamptz,
  created_delta         integer NOT NULL DEFAULT 0,
  completed_delta       integer NOT NULL DEFAULT 0,
  failed_delta          integer NOT NULL DEFAULT 0,
  delta_on              timestamptz,
  delta_seconds         integer,
  wait_bins             integer[],
  run_bins              integer[],
  ready_oldest_seconds  integer,
  ready_history         integer[] NOT NULL DEFAULT '{}',
  heartbeat_seconds     integer,
  notify                boolean NOT NULL DEFAULT false,
  singletons_active     text[],
  monitor_claim_on      timestamptz,
  monitor_on            timestamptz,
  maintain_on           timestamptz,
  created_on            timestamptz NOT NULL DEFAULT now(),
  updated_on            timestamptz NOT NULL DEFAULT now(),
  CHECK (dead_letter IS DISTINCT FROM name)
);

CREATE TABLE "pgboss".schedule (
  name                  text REFERENCES "pgboss".queue (name) ON DELETE CASCADE,
  key                   text NOT NULL DEFAULT '',
  kind                  text NOT NULL DEFAULT 'cron' CHECK (kind IN ('cron', 'rrule')),
  cron                  text NOT NULL,
  timezone              text DEFAULT 'UTC',
  data                  jsonb,
  options               jsonb,
  created_on            timestamptz NOT NULL DEFAULT now(),
  updated_on            timestamptz NOT NULL DEFAULT now(),
  last_job_id           uuid,
  PRIMARY KEY (name, key)
);

CREATE TABLE "pgboss".subscription (
  event                 text NOT NULL,
  name                  text NOT NULL REFERENCES "pgboss".queue (name) ON DELETE CASCADE,
  created_on            timestamptz NOT NULL DEFAULT now(),
  updated_on            timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (event, name)
);

-- DDL that is run in the background, a row a command: index builds that a migration put off.
CREATE TABLE "pgboss".bam (
  id                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name                  text NOT NULL,
  version               integer NOT NULL,
  status                text NOT NULL DEFAULT 'pending',
  queue                 text,
  table_name            text NOT NULL,
  command               text NOT NULL,
  error                 text,
  created_on            timestamptz NOT NULL DEFAULT clock_timestamp(),
  started_on            timestamptz,
  completed_on          timestamptz
);

CREATE TABLE "pgboss".warning (
  id                    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  type                  text NOT NULL,
  message               text NOT NULL,
  data                  jsonb,
  created_on            timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX warning_i1 ON "pgboss".warning (created_on DESC);

-- Snapshots of every queue's figures, a partition a day so that old ones go by DROP TABLE.
CREATE TABLE "pgboss".queue_stats (
  id                    uuid NOT NULL DEFAULT gen_random_uuid(),
  name                  text NOT NULL,
  deferred_count        integer NOT NULL DEFAULT 0,
  queued_count          integer NOT NULL DEFAULT 0,
  ready_count           integer NOT NULL DEFAULT 0,
  active_count          integer NOT NULL DEFAULT 0,
  failed_count          integer NOT NULL DEFAULT 0,
  total_count           integer NOT NULL DEFAULT 0,
  created_delta         integer,
  completed_delta       integer,
  failed_delta          integer,
  delta_seconds         integer,
  delta_on              timestamptz,
  wait_bins             integer[],
  run_bins              integer[],
  ready_oldest_seconds  integer,
  captured_on           timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (id, captured_on)
) PARTITION BY RANGE (captured_on);

CREATE INDEX queue_stats_i1 ON "pgboss".queue_stats (name, captured_on DESC)
  INCLUDE (deferred_count, queued_count, ready_count, active_count, failed_count, total_count);

-- Which job waits for which. No foreign keys: either side may lie in any partition, and goes by retention.
CREATE TABLE "pgboss".job_dependency (
  child_name            text NOT NULL,
  child_id              uuid NOT NULL,
  parent_name           text NOT NULL,
  parent_id             uuid NOT NULL,
  PRIMARY KEY (child_name, child_id, parent_name, parent_id)
);

CREATE INDEX job_dep_parent_idx ON "pgboss".job_dependency (parent_name, parent_id);

-- One row a running (or lately stopped) process.
CREATE TABLE "pgboss".instance (
  id                    uuid PRIMARY KEY,
  name                  text,
  host                  text NOT NULL,
  pid                   integer NOT NULL,
  version               text NOT NULL,
  node_version          text NOT NULL,
  application_name      text,
  heartbeat_seconds     integer NOT NULL,
  supervise             boolean NOT NULL,
  schedule              boolean NOT NULL,
  migrate               boolean NOT NULL,
  persist_queue_stats   boolean NOT NULL,
  persist_warnings      boolean NOT NULL,
  pool_max              integer,
  pool_total            integer,
  pool_idle             integer,
  pool_waiting          integer,
  workers               jsonb NOT NULL DEFAULT '[]',
  metrics               jsonb,
  config                jsonb NOT NULL DEFAULT '{}',
  crash_restarts        integer NOT NULL DEFAULT 0,
  crash_restarts_since  timestamptz,
  started_on            timestamptz NOT NULL DEFAULT now(),
  heartbeat_on          timestamptz NOT NULL DEFAULT now(),
  stopped_on            timestamptz
);

CREATE TABLE "pgboss".job (
  id                    uuid NOT NULL DEFAULT gen_random_uuid(),
  name                  text NOT NULL,
  priority              integer NOT NULL DEFAULT 0,
  data                  jsonb,
  state                 "pgboss".job_state NOT NULL DEFAULT 'created',
  retry_limit           integer NOT NULL DEFAULT 2,
  retry_count           integer NOT NULL DEFAULT 0,
  retry_delay           integer NOT NULL DEFAULT 0,
  retry_backoff         boolean NOT NULL DEFAULT false,
  retry_delay_max       integer,
  expire_seconds        integer NOT NULL DEFAULT 900,
  deletion_seconds      integer NOT NULL DEFAULT 604800,
  singleton_key         text,
  -- Without a time zone, and always in UTC: the start of the throttling slot.
  singleton_on          timestamp,
  group_id              text,
  group_tier            text,
  start_after           timestamptz NOT NULL DEFAULT now(),
  created_on            timestamptz NOT NULL DEFAULT now(),
  started_on            timestamptz,
  completed_on          timestamptz,
  -- Seconds, not days: a day is not always 24 hours long.
  keep_until            timestamptz NOT NULL DEFAULT now() + interval '1209600 seconds',
  output                jsonb,
  dead_letter           text,
  policy                text,
  heartbeat_on          timestamptz,
  heartbeat_seconds     integer,
  blocked               boolean NOT NULL DEFAULT false,
  blocking              boolean NOT NULL DEFAULT false,
  pending_dependencies  integer NOT NULL DEFAULT 0,
  source_name           text,
  source_id             uuid,
  source_created_on     timestamptz,
  source_retry_count    integer,
  source_output         jsonb,
  source_root_id        uuid,
  trace_context         jsonb,
  upsert_by_key         boolean
) PARTITION BY LIST (name);

ALTER TABLE "pgboss".job ADD PRIMARY KEY (name, id);

-- Rewrites a command about `job` and its indexes `job_i<number>` for one physical table.
-- The text goes through format(), which is why a percent sign in the command is refused.
CREATE OR REPLACE FUNCTION "pgboss".py_job_table_format(command text, table_name text)
  RETURNS text
  LANGUAGE sql IMMUTABLE
AS $body$
  SELECT format(
    regexp_replace(
      regexp_replace(command, '\mjob_i(\d+)', '%1$s_i\1', 'g'),
      '\.job\M', '.%1$I', 'g'
    ),
    table_name
  )
$body$;

-- The physical job tables a command is meant for: the queue's when one is named, else the given table, and
-- without either the shared table and the partition of every queue that has one.
CREATE OR REPLACE FUNCTION "pgboss".py_job_tables(tbl_name text, queue_name text)
  RETURNS TABLE (queue text, job_table text)
  LANGUAGE plpgsql STABLE
AS $body$
DECLARE
  target text := tbl_name;
BEGIN
  IF queue_name IS NOT NULL THEN
    target := (SELECT q.table_name FROM "pgboss".queue q WHERE q.name = queue_name);
  END IF;

  IF target IS NOT NULL THEN
    RETURN QUERY SELECT queue_name, target;
    RETURN;
  END IF;

  RETURN QUERY
    SELECT NULL::text, 'job_common'
    UNION ALL
    SELECT q.name, q.table_name FROM "pgboss".queue q WHERE q.partition;
END
$body$;

CREATE OR REPLACE FUNCTION "pgboss".py_job_table_run(command text, tbl_name text, queue_name text)
  RETURNS void
  LANGUAGE plpgsql
AS $body$
DECLARE
  target text;
BEGIN
  FOR target IN SELECT t.job_table FROM "pgboss".py_job_tables(tbl_name, queue_name) t LOOP
    EXECUTE "pgboss".py_job_table_format(command, target);
  END LOOP;
END
$body$;

-- The same as py_job_table_run, put off: every table's command becomes a row of `bam`.
CREATE OR REPLACE FUNCTION "pgboss".py_job_table_run_async(
  command_name text, version integer, command text, tbl_name text, queue_name text
)
  RETURNS void
  LANGUAGE plpgsql
AS $body$
BEGIN
  INSERT INTO "pgboss".bam (name, version, status, queue, table_name, command)
  SELECT $1, $2, 'pending', t.queue, t.job_table, "pgboss".py_job_table_format($3, t.job_table)
    FROM "pgboss".py_job_tables(tbl_name, queue_name) t;
END
$body$;

-- What a job table carries beyond its columns and keys, in one list for the shared table and for the partitions.
-- A NULL policy stands for every queue; any other part serves queues of that policy only. Number 5 is retired.
CREATE OR REPLACE FUNCTION "pgboss".py_job_indexes()
  RETURNS TABLE (number integer, policy text, kind text, definition text)
  LANGUAGE sql IMMUTABLE
AS $body$
  VALUES
    (1, 'short', 'UNIQUE INDEX',
      $$(name, COALESCE(singleton_key, '')) WHERE state = 'created' AND policy = 'short'$$),
    (2, 'singleton', 'UNIQUE INDEX',
      $$(name, COALESCE(singleton_key, '')) WHERE state = 'active' AND policy = 'singleton'$$),
    (3, 'stately', 'UNIQUE INDEX',
      $$(name, state, COALESCE(singleton_key, '')) WHERE state <= 'active' AND policy = 'stately'$$),
    (4, NULL, 'UNIQUE INDEX',
      $$(name, singleton_on, COALESCE(singleton_key, '')) WHERE state <> 'cancelled' AND singleton_on IS NOT NULL$$),
    (6, 'exclusive', 'UNIQUE INDEX',
      $$(name, COALESCE(singleton_key, '')) WHERE state <= 'active' AND policy = 'exclusive'$$),
    (7, NULL, 'INDEX',
      $$(name, group_id) WHERE state = 'active' AND group_id IS NOT NULL$$),
    (8, 'key_strict_fifo', 'UNIQUE INDEX',
      $$(name, singleton_key) WHERE state IN ('active', 'retry', 'failed') AND policy = 'key_strict_fifo'$$),
    (9, NULL, 'INDEX',
      $$(name, id) WHERE blocking AND state = 'completed'$$),
    (10, 'key_strict_fifo', 'INDEX',
      $$(name, singleton_key, state DESC, created_on, id) INCLUDE (start_after)
        WHERE state < 'active' AND NOT blocked AND policy = 'key_strict_fifo'$$),
    (11, NULL, 'INDEX',
      $$(name, priority DESC, created_on, start_after) WHERE state < 'active' AND NOT blocked$$),
    (12, NULL, 'INDEX',
      $$(source_root_id) WHERE source_root_id IS NOT NULL$$),
    (13, NULL, 'UNIQUE INDEX',
      $$(name, singleton_key) WHERE state = 'created' AND upsert_by_key$$),
    (14, NULL, 'INDEX',
      $$(name, state, blocked, start_after) WHERE state IN ('created', 'retry', 'active', 'failed')$$),
    (15, NULL, 'INDEX',
      $$(name, created_on)$$),
    (16, NULL, 'INDEX',
      $$(name, completed_on) WHERE completed_on IS NOT NULL$$),
    (17, NULL, 'INDEX',
      $$(name, singleton_key, created_on) WHERE state < 'active' AND singleton_key IS NOT NULL$$)
$body$;

-- Gives a bare copy of the job table its keys, checks and indexes, before it is attached as a partition.
-- queue_policy: the policy of the one queue it will hold, or NULL for the table that queues of every policy share.
CREATE OR REPLACE FUNCTION "pgboss".py_build_job_table(job_table text, queue_policy text)
  RETURNS void
  LANGUAGE plpgsql
AS $body$
DECLARE
  part record;
BEGIN
  -- The foreign keys are checked at commit, so that a queue and its jobs may go in either order.
  EXECUTE format(
    'ALTER TABLE "pgboss".%I
       ADD PRIMARY KEY (name, id),
       ADD CONSTRAINT q_fkey FOREIGN KEY (name) REFERENCES "pgboss".queue (name)
         ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED,
       ADD CONSTRAINT dlq_fkey FOREIGN KEY (dead_letter) REFERENCES "pgboss".queue (name)
         ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED',
    job_table
  );

  IF queue_policy IS NULL OR queue_policy = 'key_strict_fifo' THEN
    EXECUTE format(
      $ddl$
        ALTER TABLE "pgboss".%I ADD CONSTRAINT job_key_strict_fifo_singleton_key_check
          CHECK (NOT (policy = 'key_strict_fifo' AND singleton_key IS NULL))
      $ddl$,
      job_table
    );
  END IF;

  FOR part IN
    SELECT i.number, i.kind, i.definition
      FROM "pgboss".py_job_indexes() i
     WHERE i.policy IS NULL OR queue_policy IS NULL OR i.policy = queue_policy
  LOOP
    EXECUTE format(
      'CREATE %s %I ON "pgboss".%I %s', part.kind, job_table || '_i' || part.number, job_table, part.definition
    );
  END LOOP;
END
$body$;

-- Adds a queue and, when asked, a job table of its own. A queue of that name is left as it is, without a word.
CREATE OR REPLACE FUNCTION "pgboss".py_create_queue(queue_name text, options jsonb)
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

  INSERT INTO "pgboss".queue (
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
    queue_name, options->>'policy', own_table, job_table, "pgboss".job_now(), "pgboss".job_now(),
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

  EXECUTE format('CREATE TABLE "pgboss".%I (LIKE "pgboss".job INCLUDING DEFAULTS)', job_table);
  PERFORM "pgboss".py_build_job_table(job_table, options->>'policy');
  -- With the check in place, attaching need not scan the table.
  EXECUTE format('ALTER TABLE "pgboss".%I ADD CONSTRAINT cjc CHECK (name = %L)', job_table, queue_name);
  EXECUTE format('ALTER TABLE "pgboss".job ATTACH PARTITION "pgboss".%I FOR VALUES IN (%L)', job_table, queue_name);
END
$body$;

-- Removes a queue with its jobs; schedules and subscriptions go with its row. An unknown name is no error.
CREATE OR REPLACE FUNCTION "pgboss".py_delete_queue(queue_name text)
  RETURNS void
  LANGUAGE plpgsql
AS $body$
DECLARE
  job_table text;
  own_table boolean;
BEGIN
  SELECT q.table_name, q.partition INTO job_table, own_table
    FROM "pgboss".queue q
   WHERE q.name = queue_name;

  IF NOT FOUND THEN
    RETURN;
  END IF;

  -- Whatever the row claims, the table that all other queues share is never dropped.
  IF own_table AND job_table <> 'job_common' THEN
    EXECUTE format('DROP TABLE IF EXISTS "pgboss".%I', job_table);
  ELSE
    EXECUTE format('DELETE FROM "pgboss".%I WHERE name = $1', job_table) USING queue_name;
  END IF;

  DELETE FROM "pgboss".queue q WHERE q.name = queue_name;
END
$body$;

DO $managed$
BEGIN
  IF current_setting('server_version_num')::integer >= 140000 THEN
    EXECUTE $ddl$
      CREATE OR REPLACE FUNCTION "pgboss".job_now()
        RETURNS timestamptz
        LANGUAGE sql STABLE
      RETURN pg_catalog.now()
    $ddl$;
    EXECUTE $ddl$
      CREATE OR REPLACE FUNCTION "pgboss".job_table_format(command text, table_name text)
        RETURNS text
        LANGUAGE sql IMMUTABLE
      RETURN "pgboss".py_job_table_format(command, table_name)
    $ddl$;
    EXECUTE $ddl$
      CREATE OR REPLACE FUNCTION "pgboss".job_table_run(
        command text, tbl_name text DEFAULT NULL, queue_name text DEFAULT NULL
      )
        RETURNS void
        LANGUAGE sql
      RETURN "pgboss".py_job_table_run(command, tbl_name, queue_name)
    $ddl$;
    EXECUTE $ddl$
      CREATE OR REPLACE FUNCTION "pgboss".job_table_run_async(
        command_name text, version integer, command text, tbl_name text DEFAULT NULL, queue_name text DEFAULT NULL
      )
        RETURNS void
        LANGUAGE sql
      RETURN "pgboss".py_job_table_run_async(command_name, version, command, tbl_name, queue_name)
    $ddl$;
    EXECUTE $ddl$
      CREATE OR REPLACE FUNCTION "pgboss".create_queue(queue_name text, options jsonb)
        RETURNS void
        LANGUAGE sql
      RETURN "pgboss".py_create_queue(queue_name, options)
    $ddl$;
    EXECUTE $ddl$
      CREATE OR REPLACE FUNCTION "pgboss".delete_queue(queue_name text)
        RETURNS void
        LANGUAGE sql
      RETURN "pgboss".py_delete_queue(queue_name)
    $ddl$;
  ELSE
    EXECUTE $ddl$
      CREATE OR REPLACE FUNCTION "pgboss".job_now()
        RETURNS timestamptz
        LANGUAGE sql STABLE
      AS $body$ SELECT pg_catalog.now() $body$
    $ddl$;
    EXECUTE $ddl$
      CREATE OR REPLACE FUNCTION "pgboss".job_table_format(command text, table_name text)
        RETURNS text
        LANGUAGE sql IMMUTABLE
      AS $body$ SELECT "pgboss".py_job_table_format(command, table_name) $body$
    $ddl$;
    EXECUTE $ddl$
      CREATE OR REPLACE FUNCTION "pgboss".job_table_run(
        command text, tbl_name text DEFAULT NULL, queue_name text DEFAULT NULL
      )
        RETURNS void
        LANGUAGE sql
      AS $body$ SELECT "pgboss".py_job_table_run(command, tbl_name, queue_name) $body$
    $ddl$;
    EXECUTE $ddl$
      CREATE OR REPLACE FUNCTION "pgboss".job_table_run_async(
        command_name text, version integer, command text, tbl_name text DEFAULT NULL, queue_name text DEFAULT NULL
      )
        RETURNS void
        LANGUAGE sql
      AS $body$ SELECT "pgboss".py_job_table_run_async(command_name, version, command, tbl_name, queue_name) $body$
    $ddl$;
    EXECUTE $ddl$
      CREATE OR REPLACE FUNCTION "pgboss".create_queue(queue_name text, options jsonb)
        RETURNS void
        LANGUAGE sql
      AS $body$ SELECT "pgboss".py_create_queue(queue_name, options) $body$
    $ddl$;
    EXECUTE $ddl$
      CREATE OR REPLACE FUNCTION "pgboss".delete_queue(queue_name text)
        RETURNS void
        LANGUAGE sql
      AS $body$ SELECT "pgboss".py_delete_queue(queue_name) $body$
    $ddl$;
  END IF;
END
$managed$;

-- The jobs of every queue without a partition of its own.
CREATE TABLE "pgboss".job_common (LIKE "pgboss".job INCLUDING DEFAULTS INCLUDING GENERATED);

-- No policy given: this table has the indexes of all of them.
DO $install$
BEGIN
  PERFORM "pgboss".py_build_job_table('job_common', NULL);
END
$install$;

ALTER TABLE "pgboss".job ATTACH PARTITION "pgboss".job_common DEFAULT;

-- Partitions for today and tomorrow, by the calendar of UTC. The bounds carry their offset, because a bare date
-- would be read in the time zone of whichever session happens to run this.
DO $days$
DECLARE
  today date := ("pgboss".job_now() AT TIME ZONE 'UTC')::date;
  day date;
BEGIN
  FOREACH day IN ARRAY ARRAY[today, today + 1] LOOP
    EXECUTE format(
      'CREATE TABLE IF NOT EXISTS "pgboss".%I PARTITION OF "pgboss".queue_stats FOR VALUES FROM (%L) TO (%L)',
      to_char(day, '"queue_stats_"YYYYMMDD'),
      to_char(day, 'YYYY-MM-DD "00:00:00+00"'),
      to_char(day + 1, 'YYYY-MM-DD "00:00:00+00"')
    );
  END LOOP;
END
$days$;

INSERT INTO "pgboss"."version" (version) VALUES (46);
