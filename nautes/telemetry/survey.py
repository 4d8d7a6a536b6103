"""What Temporal knows and no process counts: backlogs, stopped workflows, credentials that end. A collector for Prometheus.

Temporal is asked when somebody scrapes and what is known is too old; a platform that nobody watches asks for nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from temporalio.client import Client

from nautes.messages import search
from nautes.messages.operations import ERROR
from nautes.telemetry import catalogue
from nautes.telemetry.catalogue import Metric as Described
from nautes.telemetry.queues import Seen, TaskQueues

QUEUES_KEPT, STOPPED_KEPT, CREDENTIALS_KEPT = 5.0, 15.0, 600.0  # seconds until they are asked for anew
WITHIN = 3.0  # seconds: a scrape has ten
FARTHEST = 400  # days ahead that are looked at; GitLab's tokens live a year at most

End = Callable[[], Awaitable[str]]  # the day a credential ends, YYYY-MM-DD, "" when it does not

_log = logging.getLogger("nautes.telemetry")


class Survey:
    """`ends`: further credentials by kind.

    What could not be asked for is left out of the scrape: no value is better than an old one.
    """

    def __init__(self, client: Client, queues: TaskQueues, ends: Mapping[str, End] | None = None) -> None:
        self._client = client
        self._queues = queues
        self._ends = {"products": self._first_end, **(ends or {})}
        self._known: dict[str, tuple[float, Any]] = {}

    async def refresh(self) -> None:
        """Ask for what is too old."""
        asked = [
            self._ask("queues", QUEUES_KEPT, self._queues.look),
            self._ask("stopped", STOPPED_KEPT, self._stopped),
            *(self._ask(kind, CREDENTIALS_KEPT, end) for kind, end in self._ends.items()),
        ]
        await asyncio.gather(*asked)

    async def _ask(self, what: str, kept: float, question: Callable[[], Awaitable[Any]]) -> None:
        asked, _ = self._known.get(what, (float("-inf"), None))
        if time.monotonic() - asked < kept:
            return
        try:
            answer = await asyncio.wait_for(question(), WITHIN)
        except Exception as error:
            _log.warning("the metrics of %s are left out: %s", what, type(error).__name__)
            self._known.pop(what, None)
        else:
            self._known[what] = (time.monotonic(), answer)

    async def _stopped(self) -> int:
        query = f"{search.PHASE.name} = '{ERROR}' AND ExecutionStatus = 'Running'"
        return (await self._client.count_workflows(query)).count

    async def _first_end(self) -> str:
        """The first day on which a credential of a product ends: found by halving, because Temporal only counts."""
        today = datetime.now(UTC).date()
        if not await self._ending(today, FARTHEST):
            return ""
        before, at = -1, FARTHEST
        while at - before > 1:
            middle = (before + at) // 2
            before, at = (before, middle) if await self._ending(today, middle) else (middle, at)
        return (today + timedelta(days=at)).isoformat()

    async def _ending(self, today: date, days: int) -> bool:
        end = (today + timedelta(days=days)).isoformat()
        query = f"{search.KIND.name} = 'Product' AND {search.RENEW.name} <= '{end}' AND ExecutionStatus = 'Running'"
        return (await self._client.count_workflows(query)).count > 0

    # For Prometheus

    def collect(self) -> Iterable[Metric]:
        """Called for each scrape, after `refresh`."""
        yield from _of_queues(self._value("queues") or [])
        if (stopped := self._value("stopped")) is not None:
            yield GaugeMetricFamily(catalogue.STOPPED.name, catalogue.STOPPED.meaning, stopped)
        ends = _family(catalogue.CREDENTIAL_END)
        for kind in self._ends:
            if end := self._value(kind):
                ends.add_metric([kind], datetime.fromisoformat(end).replace(tzinfo=UTC).timestamp())
        yield ends

    def _value(self, what: str) -> Any:
        return self._known.get(what, (0.0, None))[1]


def _of_queues(seen: list[Seen]) -> Iterable[Metric]:
    families = [_family(each) for each in (catalogue.BACKLOG, catalogue.BACKLOG_AGE, catalogue.POLLERS)]
    for each in seen:
        for family, value in zip(families, (each.backlog, each.age, len(each.pollers)), strict=True):
            family.add_metric(each.tasks, float(value))
    return families


def _family(described: Described) -> GaugeMetricFamily:
    return GaugeMetricFamily(described.name, described.meaning, labels=described.labels)
