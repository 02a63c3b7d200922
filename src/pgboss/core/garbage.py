"""Sparing the collector of garbage objects that are none."""

from __future__ import annotations

import gc

__all__ = ["keep_all", "uncollected"]


class uncollected:  # noqa: N801  reads like a function, and costs half of one made by contextlib
    """Have no garbage collected in the block, which is to be short, and makes objects that are going to stay.

    The collector runs whenever some hundred objects more were made than freed. While the jobs of a large claim are
    made, that is ten times, and each time it looks at all that is young and finds nothing. What has been looked at so
    often counts as old, so that soon it looks at everything there is in the process, for tens of milliseconds.
    """

    __slots__ = ("_was_enabled",)

    def __enter__(self) -> None:
        self._was_enabled = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._was_enabled:
            gc.enable()


def keep_all() -> None:
    """Have no garbage looked for, from now on, among the objects that there are now, once what is garbage has gone.

    For a program whose modules are loaded: they are most of its objects, and stay to the end.
    """
    gc.collect()
    gc.freeze()
