"""Which build work goes to: the first one without anybody's doing, another one only by a roll-out."""

from __future__ import annotations

import asyncio

import pytest

from nautes.clients import builds
from nautes.clients.builds import Deployment, build_of
from nautes.clients.settings import Settings
from nautes.messages.errors import Refused
from tests.releases.builds import Fleet
from tests.workflow.platform import until


def test_a_build_is_the_version_and_the_commit_of_the_image() -> None:
    version = build_of(Settings()).removesuffix("-development")
    assert version and version[0].isdigit()
    assert build_of(Settings(commit="5e37a00c1d2e")) == f"{version}-5e37a00c1d2e"
    assert build_of(Settings(commit="5e37a00c1d2e", build_id="mine")) == "mine"


async def test_the_first_worker_makes_its_build_current_and_no_later_one_does(fleet: Fleet) -> None:
    async with fleet.build("A"), fleet.build("B"):
        assert await fleet.deployment.begin("A") == "A"
        assert await fleet.deployment.begin("B") == "A"
        assert (await fleet.deployment.builds()).current == "A"


async def test_of_first_workers_of_two_builds_one_wins(fleet: Fleet) -> None:
    async with fleet.build("A"), fleet.build("B"):
        begun = await asyncio.gather(*(fleet.deployment.begin(each) for each in "ABABAB"))
        assert set(begun) == {(await fleet.deployment.builds()).current}


async def test_nothing_moves_the_current_build_that_was_read_before_somebody_else_moved_it(fleet: Fleet) -> None:
    async with fleet.build("A"), fleet.build("B"):
        await fleet.deployment.begin("A")
        read = await fleet.deployment.builds()
        await fleet.deployment.switch("B")
        assert "conflict" in await fleet.deployment._set("A", read.token)
        assert (await fleet.deployment.builds()).current == "B"


async def test_a_build_without_workers_does_not_become_current(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fleet.build("A"):
        await fleet.deployment.begin("A")
        monkeypatch.setattr(builds, "WITHIN", 0.5)
        monkeypatch.setattr(builds, "POLLED_LATELY", 0.0)  # every poll is too long ago
        with pytest.raises(Refused, match="no worker of build B has ever polled"):
            await fleet.deployment.switch("B")
        async with fleet.build("B"):
            await until(lambda: _known(fleet.deployment, "B"), "build B is known")
            with pytest.raises(Refused, match="no worker of build B polls the task queue nautes-"):
                await fleet.deployment.switch("B")
        assert (await fleet.deployment.builds()).current == "A"


async def test_a_build_that_leaves_a_queue_of_the_current_one_alone_does_not_become_current(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fleet.build("A"), fleet.build("B", "gitlab"):
        await fleet.deployment.begin("A")
        monkeypatch.setattr(builds, "WITHIN", 2.0)
        with pytest.raises(Refused, match=f"no worker of build B polls the task queue {fleet.queue}/clusters"):
            await fleet.deployment.switch("B")
        assert await fleet.deployment.switch("B", fewer=True) == "A"


async def _known(deployment: Deployment, build: str) -> bool:
    return (await deployment.builds()).knows(build)
