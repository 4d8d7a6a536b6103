"""One roll-out: make a build current, wake what lives long, wait until nothing is left on the other builds.

Every step can be repeated, so a roll-out that was interrupted is simply begun once more. To go back is to roll out another build.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from nautes.clients.builds import Deployment
from nautes.rollout.workflows import Sitting, Workflows

LOOK_EVERY = 0.5  # seconds
NAMED = 20  # workflows of one kind that a report names

Say = Callable[[str], None]


async def roll_out(
    deployment: Deployment, workflows: Workflows, build: str, *, timeout: float, rate: float, fewer: bool, say: Say
) -> list[Sitting]:
    """What still sits on other builds after `timeout` seconds; nothing when they are drained. `rate`: wakings a second.

    Raises Refused for a build without workers, or with `fewer` task queues than the current one unless that is meant.
    """
    deadline = time.monotonic() + timeout
    before = await deployment.switch(build, fewer=fewer)
    say(f"{build} was current already" if before == build else f"{build} is current, {before or 'nothing'} was before")
    said = -1
    while not await _drained(deployment, workflows, build):
        if woken := await workflows.wake(build, rate=rate):
            say(f"long-lived workflows woken: {woken}")
        if (left := await workflows.count_elsewhere(build)) != said:
            said = left
            say(f"workflows left on other builds: {left}")
        if time.monotonic() > deadline:
            return await workflows.sitting(build)
        await asyncio.sleep(LOOK_EVERY)
    say("all other builds are drained: their workers may be switched off")
    return []


async def _drained(deployment: Deployment, workflows: Workflows, build: str) -> bool:
    """By our count, and by Temporal's own, which comes a little later and cannot be deceived by a list that lags."""
    if await workflows.count_elsewhere(build):
        return False
    others = [each for each in (await deployment.builds()).known if each.id != build]
    return all(each.status != "draining" for each in others)


async def status(deployment: Deployment, workflows: Workflows) -> list[str]:
    """Every build with its state and what runs on it, then what still sits on builds that are not current."""
    found = await deployment.builds()
    lines = [
        f"{each.id}  {each.status} since {_time(each.since)}  workflows: {await workflows.count(each.id)}"
        for each in found.known
    ]
    return [*lines, *report(await workflows.sitting(found.current))]


def report(sitting: Iterable[Sitting]) -> list[str]:
    """Kind by kind, the oldest first: id, phase and since when."""
    lines, named = list[str](), Counter[tuple[str, str]]()
    ordered = sorted(sitting, key=lambda each: (each.build, each.kind, each.since))
    totals = Counter((each.build, each.kind) for each in ordered)
    for each in ordered:
        key = each.build, each.kind
        if not named[key]:
            lines.append(f"on {each.build}: {totals[key]} {each.kind}")
        named[key] += 1
        if named[key] <= NAMED:
            lines.append(f"  {each.id}  {each.phase or '-'}  since {_time(each.since)}")
        elif named[key] == NAMED + 1:
            lines.append(f"  and {totals[key] - NAMED} more")
    return lines


def _time(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
