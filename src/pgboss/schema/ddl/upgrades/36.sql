-- What one transaction puts off is done in order, and now() is the same for all of it.
ALTER TABLE {{schema}}.bam ALTER COLUMN created_on SET DEFAULT clock_timestamp();
