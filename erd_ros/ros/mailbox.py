"""A mailbox for one item: the newest. A slow reader loses old items, it never falls behind."""

from threading import Condition
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Mailbox(Generic[Item]):
    """Hands the newest item from one thread to another; safe for any number of writers."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._item: Item | None = None
        self._closed = False

    def put(self, item: Item) -> bool:
        """Store an item; True when it took the place of one that nobody had read."""
        with self._changed:
            overwritten = self._item is not None
            self._item = item
            self._changed.notify()
        return overwritten

    def get(self, timeout_s: float | None = None) -> Item | None:
        """Wait for an item and take it; None when the time is over or the mailbox is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._item is not None, timeout_s)
            item, self._item = self._item, None
            return None if self._closed else item

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    def close(self) -> None:
        """Wake every waiting reader; from now on ``get`` gives None at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
