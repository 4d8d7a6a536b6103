"""The command line can rebuild a manifest from what the API shows of a resource."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from api.schemas import reply
from nautes.cli import manifests
from nautes.resources.manifest import manifest_of
from tests.unit.resources.strategies import any_resource


@given(any_resource)
def test_a_reply_becomes_the_manifest_it_was_made_of(resource: Any) -> None:
    assert manifests.of(resource.kind, reply(resource)) == manifest_of(resource)
