-- Empty before anybody can have the policy, so it is built at once: a queue with it may be made a moment later.
CREATE UNIQUE INDEX IF NOT EXISTS job_i6 ON {{schema}}.job_common (name, COALESCE(singleton_key, ''))
  WHERE state <= 'active' AND policy = 'exclusive';
