-- The indexes of the shared table were called as if they were those of all.
ALTER INDEX IF EXISTS {{schema}}.job_i1 RENAME TO job_common_i1;
ALTER INDEX IF EXISTS {{schema}}.job_i2 RENAME TO job_common_i2;
ALTER INDEX IF EXISTS {{schema}}.job_i3 RENAME TO job_common_i3;
ALTER INDEX IF EXISTS {{schema}}.job_i4 RENAME TO job_common_i4;
ALTER INDEX IF EXISTS {{schema}}.job_i5 RENAME TO job_common_i5;
ALTER INDEX IF EXISTS {{schema}}.job_i6 RENAME TO job_common_i6;
