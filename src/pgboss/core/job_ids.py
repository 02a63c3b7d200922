"""Ids for many jobs at once, in order, so that they lie side by side in the index of ids."""

from __future__ import annotations

import os
import struct
from datetime import UTC, datetime, timedelta

__all__ = ["ordered_ids"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VERSION = 0x7000
_VARIANT = 1 << 63
_RANDOM = (1 << 62) - 1


def ordered_ids(number: int, now: datetime) -> list[str]:
    """Ids of version 7, as 32 hexadecimal digits each, ascending; ``now`` is the database's time.

    Random ids of the server's touch a page of the index each. These touch the same few, and jobs that are created
    together keep their order where an id decides it.
    """
    milliseconds = (now - _EPOCH) // timedelta(milliseconds=1) & 0xFFFF_FFFF_FFFF
    [first] = struct.unpack(">H", os.urandom(2))
    head = f"{milliseconds:012x}{_VERSION | first & 0xFFF:04x}"
    rest = sorted(_VARIANT | value & _RANDOM for value in struct.unpack(f">{number}Q", os.urandom(8 * number)))
    return [f"{head}{value:016x}" for value in rest]
