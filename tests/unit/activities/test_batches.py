"""Questions to one workflow are gathered: few calls, in order, bounded, and each caller has its own answer or error."""

from __future__ import annotations

import asyncio

import pytest

from activities.batches import Batches
from nautes.messages.errors import Unavailable
from nautes.resources.payload import Payload


class Number(Payload):
    """A question; its answer is itself."""

    number: int
    text: str = ""


class Server:
    """Answers when it is told to; `batches` are the numbers of each call."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.open = asyncio.Event()
        self.fails = False
        self.under_way = self.most_under_way = 0

    async def send(self, _: str, questions: list[Number]) -> list[int]:
        self.batches.append([each.number for each in questions])
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await self.open.wait()
        self.under_way -= 1
        if self.fails:
            raise Unavailable("temporal-unavailable", "no answer")
        return [each.number for each in questions]


async def _asked(batches: Batches[Number, int], *questions: Number) -> list[asyncio.Future[int]]:
    asked = [asyncio.ensure_future(batches.ask("namespaces/edge", each)) for each in questions]
    await asyncio.sleep(0)  # they begin
    return asked


async def test_what_is_asked_meanwhile_goes_with_the_next_call_and_in_order() -> None:
    server = Server()
    batches: Batches[Number, int] = Batches(server.send, most=10, size=10_000)
    asked = await _asked(batches, *(Number(number=each) for each in range(25)))
    server.open.set()
    assert await asyncio.gather(*asked) == list(range(25))
    assert [number for batch in server.batches for number in batch] == list(range(25))
    assert max(map(len, server.batches)) <= 10
    assert server.most_under_way == 1
    assert await batches.ask("namespaces/edge", Number(number=7)) == 7, "it goes on afterwards"


async def test_a_batch_is_bounded_by_its_size_and_one_large_question_goes_alone() -> None:
    server = Server()
    server.open.set()
    batches: Batches[Number, int] = Batches(server.send, most=10, size=300)
    questions = [Number(number=each, text="x" * (1_000 if each == 2 else 100)) for each in range(5)]
    assert await asyncio.gather(*await _asked(batches, *questions)) == [0, 1, 2, 3, 4]
    assert server.batches == [[0, 1], [2], [3, 4]]


async def test_an_outage_is_everybodys_and_the_next_call_is_a_new_one() -> None:
    server = Server()
    server.fails = True
    batches: Batches[Number, int] = Batches(server.send, most=10, size=10_000)
    asked = await _asked(batches, Number(number=1), Number(number=2))
    server.open.set()
    errors = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in errors] == [Unavailable, Unavailable]
    server.fails = False
    assert await batches.ask("namespaces/edge", Number(number=3)) == 3


async def test_an_answer_that_lacks_some_is_an_outage_and_leaves_nobody_waiting() -> None:
    async def send(_: str, questions: list[Number]) -> list[int]:
        return [each.number for each in questions][:-1]

    batches: Batches[Number, int] = Batches(send, most=10, size=10_000)
    asked = await _asked(batches, Number(number=1), Number(number=2))
    errors = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 10)
    assert [type(each) for each in errors] == [Unavailable, Unavailable]


async def test_one_who_does_not_wait_any_more_costs_nobody_an_answer() -> None:
    server = Server()
    batches: Batches[Number, int] = Batches(server.send, most=1, size=10_000)
    first, second, third = await _asked(batches, *(Number(number=each) for each in range(3)))
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    server.open.set()
    assert (await first, await third) == (0, 2)
    assert server.batches == [[0], [2]]
