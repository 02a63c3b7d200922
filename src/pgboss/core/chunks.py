"""Cutting what comes one by one into lists of a limited length; nothing is held but the list at hand."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from itertools import islice
from typing import TypeAlias, TypeVar

__all__ = ["AnyIterable", "async_chunks", "chunks"]

T = TypeVar("T")

AnyIterable: TypeAlias = Iterable[T] | AsyncIterable[T]


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of ``size`` items, of which the last may be shorter."""
    source = iter(items)
    while chunk := list(islice(source, size)):
        yield chunk


async def async_chunks(items: AnyIterable[T], size: int) -> AsyncIterator[list[T]]:
    """The same of items that may have to be waited for."""
    if not isinstance(items, AsyncIterable):
        for chunk in chunks(items, size):
            yield chunk
        return
    chunk = []
    async for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
