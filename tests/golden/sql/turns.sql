-- take: as little as possible
UPDATE "pgboss"."version"
   SET bam_on = "pgboss".job_now()
 WHERE extract(epoch FROM "pgboss".job_now() - COALESCE(bam_on, "pgboss".job_now() - interval '1 week')) >= $1::float8
RETURNING true AS taken

-- take: with everything
UPDATE "pgboss"."version"
   SET reindex_on = "pgboss".job_now()
 WHERE extract(epoch FROM "pgboss".job_now() - COALESCE(reindex_on, "pgboss".job_now() - interval '1 week')) >= $1::float8
RETURNING true AS taken
