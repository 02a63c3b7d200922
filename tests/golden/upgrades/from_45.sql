ALTER TABLE "pgboss"."queue"
  ADD COLUMN IF NOT EXISTS "retained_count" integer,
  ADD COLUMN IF NOT EXISTS "retained_on" timestamp with time zone;

SELECT "pgboss"."job_table_run_async"('live_index_build', 46, $command$CREATE INDEX CONCURRENTLY IF NOT EXISTS job_i14 ON "pgboss".job USING btree (name, state, blocked, start_after) WHERE (state = ANY (ARRAY['created'::"pgboss".job_state, 'retry'::"pgboss".job_state, 'active'::"pgboss".job_state, 'failed'::"pgboss".job_state]))$command$);

SELECT "pgboss"."job_table_run_async"('created_index_build', 46, $command$CREATE INDEX CONCURRENTLY IF NOT EXISTS job_i15 ON "pgboss".job USING btree (name, created_on)$command$);

SELECT "pgboss"."job_table_run_async"('completed_index_build', 46, $command$CREATE INDEX CONCURRENTLY IF NOT EXISTS job_i16 ON "pgboss".job USING btree (name, completed_on) WHERE (completed_on IS NOT NULL)$command$);

SELECT "pgboss"."job_table_run_async"('queued_key_index_build', 46, $command$CREATE INDEX CONCURRENTLY IF NOT EXISTS job_i17 ON "pgboss".job USING btree (name, singleton_key, created_on) WHERE ((state < 'active'::"pgboss".job_state) AND (singleton_key IS NOT NULL))$command$);

UPDATE "pgboss"."version" SET version = 46;
