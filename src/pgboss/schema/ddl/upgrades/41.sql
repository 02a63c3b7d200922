ALTER TABLE {{schema}}.schedule
  DROP CONSTRAINT IF EXISTS schedule_kind_check,
  ADD CONSTRAINT schedule_kind_check CHECK (kind IN ('cron', 'rrule')),
  ALTER COLUMN timezone SET DEFAULT 'UTC';

-- Rules that a schema had before it was taken back to 40: no cron expression holds any of these signs.
UPDATE {{schema}}.schedule
   SET kind = 'rrule'
 WHERE kind = 'cron'
   AND (cron ~* '(^|[[:space:]]|;)FREQ=' OR cron ~* '(^|[[:space:]])(DTSTART|RRULE|RDATE|EXDATE)[;:]');

-- Nobody chose these: they would fire by the local time of whichever process comes first.
UPDATE {{schema}}.schedule SET timezone = 'UTC' WHERE timezone IS NULL;
