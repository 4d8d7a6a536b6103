"""Who may read a payload: a table of people and origins. A path that changed hands shows nothing of the former owner's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from api.authorization import Rights
from api.codec import may_read
from nautes.clients.codec import Origin
from tests.unit.api.test_authorization import MAINTAINER, PERSON, REPORTER, Directory

TENANT = "nautes/management"
AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
SHARED: Any = SimpleNamespace(reading=SimpleNamespace(tenant_repository=TENANT))
MEMBER, PLATFORM = {"shop/default.project": REPORTER}, {TENANT: MAINTAINER}


def directory(levels: Mapping[str, int], *, age: timedelta = timedelta(days=1), admin: bool = False) -> Directory:
    """GitLab, with the group `shop` created so long before the payload."""
    created = (AT - age).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    push = False if "shop/default.project" in levels else None
    return Directory(levels, push=push, group={"created_at": created}, admin=admin)


TABLE = [
    ("a member reads the product's", directory(MEMBER), "deployment/shop/web", True),
    ("... and its changes", directory(MEMBER), "change/shop/op-1", True),
    ("but no other product's", directory(MEMBER), "product/rivals", False),
    ("nor one below it", directory(MEMBER), "product/shop/child", False),
    ("nor a cluster's", directory(MEMBER), "cluster/deploy", False),
    ("nor what belongs to nobody", directory(MEMBER), "", False),
    ("who may change clusters reads the platform's", directory(PLATFORM), "cluster/deploy", True),
    ("... all of it", directory(PLATFORM), "sweep/branches-2026-11-01T12:00:00Z", True),
    ("but no product's", directory(PLATFORM), "product/shop", False),
    ("who may only read clusters reads none of it", directory({TENANT: REPORTER}), "cluster/deploy", False),
    ("a stranger reads nothing", directory({}), "product/shop", False),
    ("an administrator reads all", directory(PLATFORM, admin=True), "product/gone", True),
    ("... what belongs to nobody, too", directory(PLATFORM, admin=True), "", True),
    ("a younger group is another one", directory(MEMBER, age=timedelta(hours=-1)), "product/shop", False),
    ("but a change precedes the group it makes", directory(MEMBER, age=timedelta(seconds=-30)), "change/shop/1", True),
]


@pytest.mark.parametrize(("found", "workflow", "allowed"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
async def test_a_payload_is_for_those_it_belongs_to(found: Directory, workflow: str, allowed: bool) -> None:
    assert await may_read(SHARED, Rights(found, PERSON), Origin(workflow, AT)) is allowed


async def test_a_token_that_may_not_read_gitlab_reads_nothing_here_whoever_has_it() -> None:
    narrow = directory(PLATFORM, admin=True)
    narrow.refuses_levels = True
    assert await may_read(SHARED, Rights(narrow, PERSON), Origin("product/shop", AT)) is False
