"""One difference between the schema that is and the schema that should be, and the DDL that mends it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Finding"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference.

    Attributes:
        kind: what is the matter, in two words: ``missing index``, ``different column``, ``extra constraint``…
        object: the thing's name, beneath the schema: ``job_common_i4``, ``queue.policy``, ``create_queue()``.
        detail: what differs, for people.
        mend: SQL statements, to be run one by one and in this order, each on its own (not in one transaction:
            indexes are built without locking writers out); empty when there is nothing to do or no safe way.
        note: the schema works as it should; worth knowing, nothing to mend.
        loses_data: the mending statements delete what the extra thing holds.
    """

    kind: str
    object: str
    detail: str
    mend: tuple[str, ...] = ()
    note: bool = False
    loses_data: bool = False
