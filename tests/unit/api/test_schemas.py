"""Bodies and replies: the fields of the documentation, nothing unknown, what was read is what is shown, never a secret."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.app import create_app
from api.schemas import body_of, reply, reply_of, resource_of_body
from nautes.clients.settings import Settings
from nautes.messages.errors import Refused
from nautes.resources.cluster import Cluster
from nautes.resources.kinds import KINDS
from nautes.resources.product import Project

BODIES: dict[str, dict[str, Any]] = {
    "Cluster": {
        "api_server": "https://c.example.com:6443",
        "cluster_kind": "kubernetes",
        "cluster_type": "virtual",
        "usage": "worker",
        "worker_type": "deployment",
        "host_cluster": "host",
        "primary_domain": "example.com",
        "vcluster": {"https_node_port": "31000"},
        "components_list": {"deployment": {"name": "argocd", "namespace": "argocd", "additions": {"host": "a.b"}}},
        "reserved_namespaces_allowed_products": {"argocd": ["shop"]},
        "product_allowed_cluster_resources": {"shop": [{"kind": "ClusterRole", "group": "rbac"}]},
    },
    "Product": {"git": {"gitlab": {"name": "Shop", "path": "shop", "visibility": "private", "description": "toys"}}},
    "Project": {"language": "go"},
    "Environment": {"cluster": "c", "env_type": "test"},
    "CodeRepo": {
        "project": "web",
        "webhook": {"events": ["push_events"]},
        "deployment_runtime": True,
        "pipeline_runtime": True,
        "git": {"gitlab": {"name": "code", "path": "code", "visibility": "public", "description": ""}},
    },
    "CodeRepoBinding": {"coderepo": "code", "permissions": "readonly", "projects": ["web"]},
    "ProjectPipelineRuntime": {
        "project": "web",
        "pipeline_source": "pipelines",
        "pipelines": [{"name": "main", "label": "x", "path": "a.yaml"}],
        "event_sources": [
            {
                "name": "push",
                "gitlab": {"repo_name": "code", "revision": "main", "events": ["push_events"]},
                "calendar": {"schedule": "0 1 * * *", "interval": "", "exclusion_dates": [], "timezone": "UTC"},
            }
        ],
        "pipeline_triggers": [
            {
                "event_source": "push",
                "pipeline": "main",
                "revision": "",
                "inputs": [
                    {
                        "source": {"built_in_var": "serviceAccount"},
                        "transmission_method": {"kustomization": {"path": "/spec"}},
                    }
                ],
            }
        ],
        "destination": {"environment": "build", "namespace": "shop-build"},
        "isolation": "exclusive",
        "additional_resources": {"git": {"coderepo": "code", "url": "", "revision": "main", "path": "x"}},
        "account": "build",
        "hooks": {"pre_hooks": [{"name": "h", "alias": "first", "vars": {"a": "b"}}], "post_hooks": []},
    },
    "DeploymentRuntime": {
        "projects_ref": ["web"],
        "manifest_source": {"code_repo": "deploy", "target_revision": "main", "path": "x"},
        "destination": {"environment": "test", "namespaces": ["shop-web"]},
        "account": "web",
    },
}


def _within(given: Any, shown: Any) -> bool:
    """Whether everything that was given is shown; null stands for "not given"."""
    if isinstance(given, dict):
        return isinstance(shown, dict) and all(_within(each, shown.get(key)) for key, each in given.items())
    if isinstance(given, list):
        return isinstance(shown, list) and len(given) == len(shown) and all(map(_within, given, shown))
    return bool(given == shown)


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_of_the_documentation_is_read_and_shown_again(kind: str) -> None:
    model = KINDS[kind]
    resource = resource_of_body(model, "one", "shop", BODIES[kind])
    shown = reply(resource)
    assert _within(BODIES[kind], shown), shown
    if kind != "CodeRepo":  # whose addresses only GitLab knows
        reply_of(model).model_validate(shown)
    json.dumps(shown)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_shown_can_be_sent_back(kind: str) -> None:
    model = KINDS[kind]
    resource = resource_of_body(model, "one", "shop", BODIES[kind])
    back = {key: each for key, each in reply(resource).items() if key not in ("name", "product", "product_name")}
    assert resource_of_body(model, "one", "shop", back) == resource


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_unknown_is_refused_with_its_place(kind: str) -> None:
    with pytest.raises(Refused) as refused:
        resource_of_body(KINDS[kind], "one", "shop", {**BODIES[kind], "colour": "red"})
    (finding,) = refused.value.findings
    assert (finding.rule, finding.pointer, finding.resource) == ("schema-unknown-field", "/colour", f"{kind}/one")


def test_a_misspelled_field_is_hinted_at() -> None:
    with pytest.raises(Refused) as refused:
        resource_of_body(Project, "one", "shop", {"languag": "go"})
    assert refused.value.findings[0].hint == "did you mean 'language'?"


def test_types_are_strict_and_all_is_told_at_once() -> None:
    with pytest.raises(Refused) as refused:
        resource_of_body(KINDS["CodeRepo"], "one", "shop", {"pipeline_runtime": "true", "git": {"gitlab": {"name": 1}}})
    assert [each.pointer for each in refused.value.findings] == ["/pipeline_runtime", "/git/gitlab/name"]


def test_a_bad_name_is_the_addresss_fault() -> None:
    with pytest.raises(Refused) as refused:
        resource_of_body(Project, "No Name", "shop", {})
    assert refused.value.findings[0].pointer == "/name"


def test_a_kubeconfig_is_taken_and_never_shown() -> None:
    body = {**BODIES["Cluster"], "kubeconfig": "very-secret"}
    resource = resource_of_body(Cluster, "c", "", body)
    assert isinstance(resource, Cluster)
    assert resource.without_secrets()[1] == "very-secret"
    assert "very-secret" not in json.dumps(reply(resource)) + repr(resource)
    assert "kubeconfig" not in reply_of(Cluster).model_fields
    assert body_of(Cluster).model_json_schema()["properties"]["kubeconfig"]["anyOf"][0]["writeOnly"] is True


def test_every_operation_has_an_id_and_every_answer_a_description() -> None:
    document = create_app(Settings()).openapi()
    assert document["openapi"].startswith("3.1")
    operations = [each for ways in document["paths"].values() for each in ways.values()]
    ids = [each["operationId"] for each in operations]
    assert len(set(ids)) == len(ids)
    for operation in operations:
        assert operation["tags"]
        for status, answer in operation["responses"].items():
            assert answer["description"], (operation["operationId"], status)
            if status >= "400" and operation["operationId"] != "readyz":
                assert list(answer["content"]) == ["application/problem+json"]


def test_every_reference_of_the_description_leads_somewhere() -> None:
    document = create_app(Settings()).openapi()
    text = json.dumps(document)
    names = {each.partition('"')[0] for each in text.split('"#/components/schemas/')[1:]}
    assert names <= document["components"]["schemas"].keys()
