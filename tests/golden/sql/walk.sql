-- walk_by_key
SELECT current_setting('enable_sort') AS before, set_config('enable_sort', 'off', true)

-- walk_ends
SELECT set_config('enable_sort', $1::text, true)
