"""Addresses of pages: everything that a page shows is in its address, so that it can be kept and sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from pgboss.web.paths import base_of, path_of

__all__ = ["Sorting", "here", "with_query"]


def here(request: Request, **changes: Any) -> str:
    """The address of this page, with parameters changed; ``None`` takes one away."""
    asked = {name: request.query_params.getlist(name) for name in request.query_params}
    return with_query(base_of(request) + path_of(request), asked | changes)


def with_query(path: str, parameters: Mapping[str, Any]) -> str:
    """A path with those parameters that have a value, or several."""
    given = {name: value for name, value in parameters.items() if value not in (None, "", [], [""])}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


@dataclass(frozen=True, slots=True)
class Sorting:
    """By which column a list is sorted, as its address says: ``sort=name``, or ``sort=-name`` from the end.

    Attributes:
        request: whose address is changed by a link.
        by: the name of the column.
        descending: from the largest.
        from_largest: columns that are sorted from the largest when they are first chosen.
    """

    request: Request
    by: str
    descending: bool
    from_largest: frozenset[str]

    @classmethod
    def of(cls, request: Request, columns: Mapping[str, bool], default: str) -> Sorting:
        """What the request asks for; what it asks in vain is the default.

        Args:
            request: may have the parameter ``sort``.
            columns: what can be sorted by, and whether from the largest at first.
            default: such a parameter.
        """
        asked = request.query_params.get("sort", default)
        if asked.removeprefix("-") not in columns:
            asked = default
        largest = frozenset(name for name, at_first in columns.items() if at_first)
        return cls(request, asked.removeprefix("-"), asked.startswith("-"), largest)

    def order_of(self, column: str) -> str | None:
        """What ``aria-sort`` says of a column."""
        if column != self.by:
            return None
        return "descending" if self.descending else "ascending"

    def link(self, column: str) -> str:
        """The address of the same list by this column; by the same column again, turned around."""
        descending = not self.descending if column == self.by else column in self.from_largest
        return here(self.request, sort=f"-{column}" if descending else column, page=None)
