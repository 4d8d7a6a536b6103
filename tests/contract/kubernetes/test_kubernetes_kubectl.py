"""What people type: kubectl's everyday commands hold against both."""

from __future__ import annotations

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import yaml

from tests.contract.kubernetes.support import Space, config, deployment, gone
from tests.waiting import until


def run(space: Space, *arguments: str, text: str = "") -> str:
    """What kubectl prints in the namespace; it must succeed."""
    done = space.api.kubectl("-n", space.name, *arguments, text=text)
    assert done.returncode == 0, done.stderr
    return done.stdout


def apply(space: Space, item: object, *more: str) -> subprocess.CompletedProcess[str]:
    return space.api.kubectl("-n", space.name, "apply", "--server-side", "-f", "-", *more, text=yaml.safe_dump(item))


def test_apply_get_and_delete(space: Space) -> None:
    assert apply(space, config("a")).stdout == "configmap/a serverside-applied\n"
    assert json.loads(run(space, "get", "configmap/a", "-o", "json"))["data"] == {"k": "1"}
    assert "a" in run(space, "get", "configmaps").split()
    assert run(space, "get", "cm", "a", "-o", "name") == "configmap/a\n"
    assert "deleted" in run(space, "delete", "configmap", "a", "--wait")
    assert gone(space.api, space.maps("a"))


def test_apply_tells_who_is_in_the_way(space: Space) -> None:
    assert apply(space, config("a")).returncode == 0
    done = apply(space, config("a", {"k": "2"}), "--field-manager=other")
    assert done.returncode == 1
    assert 'conflict with "kubectl": .data.k' in done.stderr
    assert apply(space, config("a", {"k": "2"}), "--field-manager=other", "--force-conflicts").returncode == 0
    assert space.api.get(space.maps("a"))["data"] == {"k": "2"}


def test_apply_from_the_client_makes_changes_too(space: Space) -> None:
    text = json.dumps(config("a", {"k": "1", "l": "1"}))
    assert run(space, "apply", "-f", "-", text=text) == "configmap/a created\n"
    assert run(space, "apply", "-f", "-", text=text) == "configmap/a unchanged\n"
    assert run(space, "apply", "-f", "-", text=json.dumps(config("a", {"k": "2"}))) == "configmap/a configured\n"
    assert space.api.get(space.maps("a"))["data"] == {"k": "2"}


def test_create_patch_label_and_annotate(space: Space) -> None:
    run(space, "create", "-f", "-", text=json.dumps(config("a")))
    run(space, "patch", "configmap", "a", "-p", '{"data":{"l":"2"}}')
    run(space, "label", "configmap", "a", "x=y")
    run(space, "annotate", "configmap", "a", "by=hand")
    found = space.api.get(space.maps("a"))
    assert (found["data"], found["metadata"]["labels"]) == ({"k": "1", "l": "2"}, {"x": "y"})
    assert found["metadata"]["annotations"] == {"by": "hand"}


def test_wait_ends_with_the_condition(space: Space) -> None:
    path = space.path("deployments", group="apps/v1")
    space.api.create(path, deployment())
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run, space, "wait", "deployment/web", "--for=condition=Contract", "--timeout=30s")
        condition = {"type": "Contract", "status": "True"}

        def told() -> bool:
            space.api.patch(
                f"{path}/web/status", {"status": {"conditions": [condition]}}, "application/strategic-merge-patch+json"
            )
            return waiting.done()

        until(told, "kubectl has seen the condition")
        assert waiting.result() == "deployment.apps/web condition met\n"


def test_wait_for_the_end_of_an_object(space: Space) -> None:
    space.api.create(space.maps(), config("a", finalizers=["example.com/hold"]))
    space.api.delete(space.maps("a"))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(run, space, "wait", "configmap/a", "--for=delete", "--timeout=30s")
        space.api.patch(space.maps("a"), {"metadata": {"finalizers": None}})
        waiting.result()


def test_a_namespace_is_deleted_with_patience(space: Space) -> None:
    run(space, "apply", "--server-side", "-f", "-", text=yaml.safe_dump(deployment()))
    assert "deleted" in run(space, "delete", "namespace", space.name, "--wait", "--timeout=50s")
    assert gone(space.api, f"/api/v1/namespaces/{space.name}")


def test_get_watches(space: Space) -> None:
    space.api.create(space.maps(), config("a", labels={"x": "1"}))
    command = ("get", "configmap", "-l", "x=1", "-o", "name", "--watch", "--request-timeout=3s")
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(space.api.kubectl, "-n", space.name, *command)
        space.api.create(space.maps(), config("b", labels={"x": "1"}))
        assert set(watching.result().stdout.split()) == {"configmap/a", "configmap/b"}
