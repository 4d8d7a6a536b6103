"""Gathers questions to the same workflow, so that one update carries many of them. Used by activities/claims.py.

Temporal lets ten updates of one workflow be under way, of all processes together. Each process has one under way here, and what
is asked meanwhile goes with the next ones, in order.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from nautes.messages.errors import Unavailable
from nautes.resources.payload import Payload

Question = TypeVar("Question", bound=Payload)
Answer = TypeVar("Answer")


class Batches(Generic[Question, Answer]):
    """`send` asks a workflow (by its id) several questions and answers in their order.

    A batch has at most `most` questions and `size` characters of them, one question of any size included.
    """

    def __init__(
        self, send: Callable[[str, list[Question]], Awaitable[Sequence[Answer]]], *, most: int, size: int
    ) -> None:
        self._send = send
        self._most = most
        self._size = size
        self._waiting: defaultdict[str, list[tuple[Question, asyncio.Future[Answer]]]] = defaultdict(list)
        self._senders: dict[str, asyncio.Task[None]] = {}

    async def ask(self, workflow_id: str, question: Question) -> Answer:
        """The answer to one question. Raises what `send` raises."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[workflow_id].append((question, future))
        if workflow_id not in self._senders:
            self._senders[workflow_id] = asyncio.create_task(self._send_all(workflow_id))
        return await future

    async def _send_all(self, workflow_id: str) -> None:
        try:
            while batch := self._next(workflow_id):
                await self._send_batch(workflow_id, batch)
        finally:
            del self._senders[workflow_id], self._waiting[workflow_id]

    def _next(self, workflow_id: str) -> list[tuple[Question, asyncio.Future[Answer]]]:
        """The next batch, without the questions of those who do not wait any more."""
        waiting = [each for each in self._waiting[workflow_id] if not each[1].done()]
        count, size = 0, 0
        for question, _ in waiting[: self._most]:
            size += len(question.model_dump_json())
            if count and size > self._size:
                break
            count += 1
        self._waiting[workflow_id] = waiting[count:]
        return waiting[:count]

    async def _send_batch(self, workflow_id: str, batch: list[tuple[Question, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._send(workflow_id, [question for question, _ in batch])
            if len(answers) != len(batch):
                raise Unavailable(
                    "answer-incomplete", f"{workflow_id} answered {len(answers)} of {len(batch)} questions"
                )
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
