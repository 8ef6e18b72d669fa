"""Applies a function to any number of items, several at a time, and keeps their order."""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of `size` items; the last one may have fewer."""
    rest = iter(items)
    while batch := list(itertools.islice(rest, size)):
        yield batch


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], at_once: int
) -> Iterator[Result]:
    """Yield the function's results in the order of the items.

    Args:
        function: Called in threads.
        items: Read as results are taken: at most `at_once` more than these.
        at_once: Number of calls at the same time.
    """
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(at_once)
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) == at_once:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:  # the caller may have had enough
        pool.shutdown(wait=False, cancel_futures=True)


async def in_order_async(
    function: Callable[[Item], Awaitable[Result]], items: Iterable[Item], at_once: int
) -> AsyncIterator[Result]:
    """As `in_order`, for a coroutine function."""
    pending: deque[asyncio.Future[Result]] = deque()
    try:
        for item in items:
            pending.append(asyncio.ensure_future(function(item)))
            if len(pending) == at_once:
                yield await pending.popleft()
        while pending:
            yield await pending.popleft()
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
