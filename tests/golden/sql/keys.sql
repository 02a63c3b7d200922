-- blocked: as little as possible
SELECT j.singleton_key
  FROM "pgboss"."job_common" j
 WHERE j.name = $1::text AND j.state = 'failed' AND j.policy = 'key_strict_fifo' 
 ORDER BY j.singleton_key
 LIMIT $2::int

-- blocked: with everything
SELECT j.singleton_key
  FROM "pgboss"."job_common" j
 WHERE j.name = $1::text AND j.state = 'failed' AND j.policy = 'key_strict_fifo' AND j.singleton_key > $3::text
 ORDER BY j.singleton_key
 LIMIT $2::int
