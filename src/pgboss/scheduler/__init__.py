"""Firing schedules: the pass that finds what is due, the delivery of what was found, and watching the clocks.

How instances share this, Node's too, so that each occurrence is sent once:

A *pass* takes a turn, ``version.cron_on``, and looks at the last minute of every schedule. What it finds it files as
jobs of an internal queue, each under a key of its schedule and in the slot of its minute. The unique index on both is
what makes an occurrence come once: passes are closer together than a minute, so most occurrences are found twice, and
two instances may believe at once that the turn is theirs. A *delivery* turns each of these jobs into the job that the
schedule describes.
"""

from pgboss.scheduler.scheduler import Scheduler

__all__ = ["Scheduler"]
