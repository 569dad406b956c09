"""Ends a line from outside its own task: what it waits for is given up, and it hears why.

Knows asyncio and nothing else.
"""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Leash:
    """`stop` may be called at any time on the event loop; the line's own task waits through `wait`.

    Only what is waited for here is given up. A transport that does not take the last sound has its own patience.
    """

    def __init__(self) -> None:
        self._reason: Exception | None = None
        self._scope: asyncio.Timeout | None = None

    @property
    def is_waiting(self) -> bool:
        return self._scope is not None

    @property
    def is_stopped(self) -> bool:
        return self._reason is not None

    def stop(self, reason: Exception) -> None:
        """`wait` raises `reason` from now on, now if it is waiting."""
        self._reason = reason
        if self._scope is not None:
            self._scope.reschedule(0.0)  # a time that is past

    async def wait(self, what: Awaitable[T]) -> T:
        """What `what` gives. Raises the reason to stop, having cancelled it; and whatever it raises."""
        if self._reason is not None:
            asyncio.ensure_future(what).cancel()  # unbegun
            raise self._reason
        try:
            async with asyncio.timeout(None) as self._scope:
                result = await what
        except TimeoutError:
            if self._reason is None:
                raise
            raise self._reason from None
        finally:
            self._scope = None
        if self._reason is not None:  # it came at the same moment
            raise self._reason
        return result
