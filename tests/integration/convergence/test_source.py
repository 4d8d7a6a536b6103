"""From a repository to the cluster: the activity as the workflow calls it, with a tree by reference."""

from __future__ import annotations

import json
import uuid

import pytest
from temporalio.testing import ActivityEnvironment

from activities.git import GitActivities
from activities.kubernetes import KubernetesActivities
from nautes.clients.git import GitCache
from nautes.clients.kubernetes import Clusters
from nautes.messages.convergence import ConvergeReport
from nautes.messages.errors import Refused
from nautes.messages.git import FetchInput, TreeRef
from tests.integration.convergence.git_server import GitServer, Source
from tests.integration.convergence.support import Runtime, config, told


@pytest.fixture
def source(git_server: GitServer) -> Source:
    return Source(git_server, f"shop/{uuid.uuid4().hex[:8]}")


def converge(runtime: Runtime, clusters: Clusters, git: GitCache, source: Source, path: str = "app") -> ConvergeReport:
    """Fetch the head of main and converge it, as the deployment's workflow does."""
    environment = ActivityEnvironment()
    commit = environment.run(GitActivities(git).fetch, FetchInput(repository=source.repository, ref="main"))
    tree = TreeRef(repository=source.repository, commit=commit, path=path)
    return environment.run(KubernetesActivities(clusters, git).converge, runtime.input(source=tree))


def test_a_push_becomes_objects_and_the_next_one_one_write(
    runtime: Runtime, clusters: Clusters, git: GitCache, source: Source
) -> None:
    first = source.commit({"app/a.yaml": json.dumps(config("a")), "app/b.json": json.dumps(config("b")), "x.yaml": "["})
    report = converge(runtime, clusters, git, source)
    assert (report.commit, report.applied) == (first, 2)
    source.commit({"app/a.yaml": json.dumps(config("a", "2")), "app/b.json": json.dumps(config("b"))})
    report = converge(runtime, clusters, git, source)
    assert (report.applied, report.unchanged, report.writes) == (1, 1, 1)
    source.commit({"app/a.yaml": json.dumps(config("a", "2"))})
    assert told(converge(runtime, clusters, git, source)) == {"b": "pruned"}


def test_a_file_that_cannot_be_read_is_told_and_nothing_is_pruned(
    runtime: Runtime, clusters: Clusters, git: GitCache, source: Source
) -> None:
    source.commit({"app/a.yaml": json.dumps(config("a")), "app/b.yaml": json.dumps(config("b"))})
    converge(runtime, clusters, git, source)
    source.commit({"app/a.yaml": json.dumps(config("a", "2")), "app/b.yaml": "a: &x [*x]"})
    assert told(converge(runtime, clusters, git, source)) == {"a": "applied", "app/b.yaml": "refused"}
    assert runtime.get("ConfigMap", "b")


@pytest.mark.parametrize(
    ("files", "modes", "message"),
    [
        ({"app/link.yaml": "/etc/passwd"}, {"app/link.yaml": "120000"}, "app/link.yaml is a symbolic link"),
        ({"app/lib": "1" * 40}, {"app/lib": "160000"}, "app/lib is a submodule"),
        ({"app/kustomization.yaml": "resources: []"}, {}, "Kustomize is not supported"),
    ],
)
def test_a_tree_that_must_not_be_read_changes_nothing(
    runtime: Runtime,
    clusters: Clusters,
    git: GitCache,
    source: Source,
    files: dict[str, str],
    modes: dict[str, str],
    message: str,
) -> None:
    source.commit({"app/a.yaml": json.dumps(config("a"))})
    converge(runtime, clusters, git, source)
    source.commit({"app/a.yaml": json.dumps(config("a", "2")), **files}, modes=modes)
    before = runtime.cluster.requests.copy()
    with pytest.raises(Refused, match=message):
        converge(runtime, clusters, git, source)
    assert set(runtime.cluster.requests - before) <= {"GET"}
