-- The pace goes on: without it, every queue would be due at once.
UPDATE {{schema}}.queue SET monitor_claim_on = monitor_on WHERE monitor_claim_on IS NULL;

-- Row by row after the build of index 11, which replaces it: fetches must never be without either.
SELECT {{schema}}.job_table_run_async(
  'fetch_index_retire', 40, 'DROP INDEX CONCURRENTLY IF EXISTS {{schema}}.job_i5'
);
