-- The jobs of every queue without a partition of its own.
CREATE TABLE {{schema}}.job_common (LIKE {{schema}}.job INCLUDING DEFAULTS INCLUDING GENERATED);

-- No policy given: this table has the indexes of all of them.
DO $install$
BEGIN
  PERFORM {{schema}}.py_build_job_table('job_common', NULL);
END
$install$;

ALTER TABLE {{schema}}.job ATTACH PARTITION {{schema}}.job_common DEFAULT;
