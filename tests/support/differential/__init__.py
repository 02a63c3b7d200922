"""The same script of calls on real pg-boss and on ours: afterwards all rows, results and refusals must be equal.

A script is a list of steps, plain JSON, in pg-boss's own names:

    [{"call": "send", "queue": "standard", "data": {"n": 1}, "options": {"priority": 2}, "as": "first"},
     {"advance": 30},
     {"call": "fetch", "queue": "standard", "options": {"batchSize": 2}, "as": "taken"},
     {"call": "complete", "queue": "standard", "jobs": [{"$fetched": "taken"}], "fenced": true, "output": {"ok": 1}}]

``calls`` translates a step for either side, and lists what a step may say. Each side has a schema of its own in one
database, made equal to the last microsecond:

- Time stands still (``database``). Each side's ``job_now()`` reads a table; every step moves it a millisecond on, and
  ``advance`` moves it further. Node's own clock reads the same instant.
- Chance is taken out. ``random()`` always says the same, and ``gen_random_uuid()`` counts, on both sides.
- Ties are broken. Jobs that one call has made at once would have one ``created_on``, and who is fetched first would be
  anybody's guess. The next step parts them by microseconds, in an order that both sides share.
- Ids are not compared, what they stand for is: a job is known by its queue and the instant it was made, so
  that a copy in a dead letter queue, which gets an id from the database, is recognised on the other side.

``arena`` runs scripts and ``compare`` says what differs; ``exceptions`` lists where we differ on purpose.
``generate`` makes random scripts, and ``tests/interop/scripts`` holds those written by hand.
"""
