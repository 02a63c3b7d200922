-- Gives a bare copy of the job table its keys, checks and indexes, before it is attached as a partition.
-- queue_policy: the policy of the one queue it will hold, or NULL for the table that queues of every policy share.
CREATE OR REPLACE FUNCTION {{schema}}.py_build_job_table(job_table text, queue_policy text)
  RETURNS void
  LANGUAGE plpgsql
AS $body$
DECLARE
  part record;
BEGIN
  -- The foreign keys are checked at commit, so that a queue and its jobs may go in either order.
  EXECUTE format(
    'ALTER TABLE {{schema}}.%I
       ADD PRIMARY KEY (name, id),
       ADD CONSTRAINT q_fkey FOREIGN KEY (name) REFERENCES {{schema}}.queue (name)
         ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED,
       ADD CONSTRAINT dlq_fkey FOREIGN KEY (dead_letter) REFERENCES {{schema}}.queue (name)
         ON DELETE RESTRICT DEFERRABLE INITIALLY DEFERRED',
    job_table
  );

  IF queue_policy IS NULL OR queue_policy = 'key_strict_fifo' THEN
    EXECUTE format(
      $ddl$
        ALTER TABLE {{schema}}.%I ADD CONSTRAINT job_key_strict_fifo_singleton_key_check
          CHECK (NOT (policy = 'key_strict_fifo' AND singleton_key IS NULL))
      $ddl$,
      job_table
    );
  END IF;

  FOR part IN
    SELECT i.number, i.kind, i.definition
      FROM {{schema}}.py_job_indexes() i
     WHERE i.policy IS NULL OR queue_policy IS NULL OR i.policy = queue_policy
  LOOP
    EXECUTE format(
      'CREATE %s %I ON {{schema}}.%I %s', part.kind, job_table || '_i' || part.number, job_table, part.definition
    );
  END LOOP;
END
$body$;
