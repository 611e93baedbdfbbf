"""Queries that arrive while others are encoded wait together, and are encoded together."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Item = TypeVar("Item")
Encoded = TypeVar("Encoded")

MAX_BATCH = 32
MAX_WAITING = 256


class Busy(Exception):
    """More is waiting than can be served soon."""


class Batcher(Generic[Item, Encoded]):
    """Calls `encode` with all items that wait, `MAX_BATCH` at most, in one thread of its own.

    Nothing waits for company: an item that comes alone is encoded alone, at once.
    """

    def __init__(self, encode: Callable[[list[Item]], Sequence[Encoded]]) -> None:
        self._encode_all = encode
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="encode")
        self._waiting: list[tuple[Item, asyncio.Future[Encoded]]] = []
        self._runner: asyncio.Task[None] | None = None

    async def encode(self, item: Item) -> Encoded:
        """What `encode` gives for `item`.

        Raises:
            Busy: `MAX_WAITING` others wait.
            ValueError: `encode` refuses the item; those that came with it are not touched.
        """
        if len(self._waiting) >= MAX_WAITING:
            raise Busy
        future: asyncio.Future[Encoded] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
            try:
                await self._settle(batch)
            except Exception:
                # Whose fault it is shows when each is encoded alone.
                for pair in batch:
                    try:
                        await self._settle([pair])
                    except Exception as error:
                        if not pair[1].done():
                            pair[1].set_exception(error)

    async def _settle(self, batch: list[tuple[Item, asyncio.Future[Encoded]]]) -> None:
        items = [item for item, _ in batch]
        loop = asyncio.get_running_loop()
        encoded = await loop.run_in_executor(self._thread, self._encode_all, items)
        for (_, future), one in zip(batch, encoded, strict=True):
            if not future.done():  # its request may have been given up
                future.set_result(one)
