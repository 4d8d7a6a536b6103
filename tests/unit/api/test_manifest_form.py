"""The command line can rebuild a manifest from what the API shows of a resource."""

from __future__ import annotations

from typing import Any

from hypothesis import example, given

from api.schemas import reply
from nautes.cli import manifests
from nautes.resources.manifest import manifest_of
from nautes.resources.runtime import ProjectPipelineRuntime
from tests.unit.resources.strategies import any_resource

WITH_HOOK_VARIABLES = ProjectPipelineRuntime.model_validate(
    {
        "name": "build",
        "product": "shop",
        "project": "web",
        "pipelineSource": "deploy",
        "pipelines": [{"name": "ci", "label": "", "path": "ci.yaml"}],
        "destination": {"environment": "test"},
        "eventSources": [
            {"name": "pushes", "gitlab": {"repoName": "code", "revision": "main", "events": ["push_events"]}}
        ],
        "pipelineTriggers": [{"eventSource": "pushes", "pipeline": "ci", "revision": "main"}],
        "hooks": {"preHooks": [{"name": "notify", "vars": {"to": None, "ssh_url_to_repo": "x"}}]},
    }
)


@given(any_resource)
@example(WITH_HOOK_VARIABLES)
def test_a_reply_becomes_the_manifest_it_was_made_of(resource: Any) -> None:
    assert manifests.of(resource.kind, reply(resource)) == manifest_of(resource)
