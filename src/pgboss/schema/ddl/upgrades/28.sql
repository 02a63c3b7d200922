-- Queues with the policy that have a table of their own get it when they are made.
ALTER TABLE {{schema}}.job_common
  DROP CONSTRAINT IF EXISTS job_key_strict_fifo_singleton_key_check,
  ADD CONSTRAINT job_key_strict_fifo_singleton_key_check
    CHECK (NOT (policy = 'key_strict_fifo' AND singleton_key IS NULL));
