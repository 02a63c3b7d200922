-- current_database
SELECT current_database()::text

-- hardly_wait
SELECT set_config('lock_timeout', $1::text, true)

-- limit_waits
SELECT set_config('lock_timeout', $1::text, true),
       set_config('idle_in_transaction_session_timeout', $2::text, true)

-- limits
SELECT current_setting('lock_timeout') AS lock_timeout,
       current_setting('idle_in_transaction_session_timeout') AS idle_timeout

-- restore
SELECT set_config('lock_timeout', $1::text, true),
       set_config('idle_in_transaction_session_timeout', $2::text, true)

-- take
SELECT pg_advisory_xact_lock($1::bigint)

-- try_to_take
SELECT pg_try_advisory_xact_lock($1::bigint)
