"""The eight shapes of manifests that users of the original have, one file each: applied, read back, applied again, removed."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from nautes.resources.cluster import Cluster
from nautes.resources.manifest import resource_of
from nautes.rules.clusters import with_defaults
from nautes_sandbox.process import free_ports
from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import nothing_written
from tests.worlds import running

SHAPES = Path(__file__).resolve().parents[3] / "examples" / "shapes"
SUFFIX = "x1"
NODE_PORTS = (30100, 32700)  # what a real API server accepts as a node port, without its ends
CLUSTERS = [
    "cluster-host",
    "cluster-physical-worker-deployment",
    "cluster-physical-worker-pipeline",
    "cluster-virtual-worker-deployment",
    "cluster-virtual-worker-pipeline",
]
PRODUCT = ["demo-product", "demo-pipeline", "demo-deployment"]
PLURALS = {"Cluster": "clusters", "Product": "products"}
pytestmark = pytest.mark.xdist_group("world-shapes")


@dataclass
class Shapes:
    """The files, filled in for one world, and the person who applies which."""

    story: Scenario
    values: dict[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """One file with everything filled in."""
        return Template((SHAPES / f"{name}.yaml").read_text()).substitute(self.values)

    def file(self, name: str) -> Path:
        """The same on disk."""
        path = self.story.work / f"{name}.yaml"
        path.write_text(self.text(name))
        return path

    def run(self, name: str, *arguments: str) -> str:
        """The command line, as who may do that."""
        return self.story.nautes("platform" if name in CLUSTERS else "team", *arguments)

    def apply(self, name: str) -> list[str]:
        """Lines of the outcome."""
        return self.run(name, "apply", "-f", str(self.file(name))).splitlines()

    def remove(self, name: str) -> None:
        """With the confirmation that many deletions need."""
        gone = 0 if name in CLUSTERS else len(self.documents(name))
        confirmed = ["--confirm-deletions", str(gone)] if gone else []
        self.run(name, "remove", "-f", str(self.file(name)), *confirmed)

    def documents(self, name: str) -> list[dict[str, Any]]:
        """The manifests of a file."""
        return list(yaml.safe_load_all(self.text(name)))

    def shown(self, name: str, document: dict[str, Any]) -> dict[str, Any]:
        """One of them as `get -o yaml` shows it."""
        kind, spec = document["kind"], document["spec"]
        product = spec.get("productName") or spec.get("product")
        flags = ["-p", product] if product else []
        printed = self.run(name, "get", PLURALS.get(kind, f"{kind.lower()}s"), spec["name"], *flags, "-o", "yaml")
        (item,) = yaml.safe_load(printed)["items"]
        return dict(item)

    def as_manifest(self, name: str, document: dict[str, Any]) -> Any:
        """One of them as `get -o manifest` prints it for `apply`."""
        kind, spec = document["kind"], document["spec"]
        product = spec.get("productName") or spec.get("product")
        flags = ["-p", product] if product else []
        printed = self.run(name, "get", PLURALS.get(kind, f"{kind.lower()}s"), spec["name"], *flags, "-o", "manifest")
        return resource_of(yaml.safe_load(printed))


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shapes]:
    directory = tmp_path_factory.mktemp("shapes")
    # tests/integration/clusters has virtual clusters of both flavours
    with running(directory, "stand-in", clusters=("deploy", "pipeline", "host")) as world:
        story = Scenario(world, say=lambda _: None)
        story.install()
        yield Shapes(story, _values(story))
        shutil.rmtree(story.work, ignore_errors=True)


def _values(story: Scenario) -> dict[str, str]:
    found = {"suffix": SUFFIX}
    for name, cluster in (("host", "host"), ("deployment", "deploy"), ("pipeline", "pipeline")):
        kubeconfig = story.world.kubeconfig_to_register(cluster)
        found[f"{name}_server"] = yaml.safe_load(kubeconfig)["clusters"][0]["cluster"]["server"]
        found[f"{name}_kubeconfig"] = kubeconfig.replace("\n", "\n    ")
    ports = _node_ports(2)
    for kind, port in zip(("deployment", "pipeline"), ports, strict=True):
        found[f"virtual_{kind}_address"] = f"127.0.0.1:{port}"
        found[f"virtual_{kind}_port"] = str(port)
    return found


def _node_ports(count: int) -> list[int]:
    """Free ports of this machine that are node ports as well."""
    found: list[int] = []
    while len(found) < count:
        found += [port for port in free_ports(200) if NODE_PORTS[0] < port < NODE_PORTS[1]]
        found = found or [NODE_PORTS[0] + time.monotonic_ns() % 2000, NODE_PORTS[0] + 2000 + time.monotonic_ns() % 500]
    return found[:count]


def _without_secrets(document: dict[str, Any]) -> Any:
    spec = {name: value for name, value in document["spec"].items() if name != "kubeconfig"}
    return resource_of({**document, "spec": spec})


def test_all_eight_are_applied_read_back_applied_again_and_removed(shapes: Shapes) -> None:
    assert sorted(each.stem for each in SHAPES.glob("*.yaml")) == sorted([*CLUSTERS, *PRODUCT])
    for name in [*CLUSTERS, *PRODUCT]:
        wanted = {f"{each['kind']}/{each['spec']['name']} created" for each in shapes.documents(name)}
        assert wanted <= set(shapes.apply(name)), name
    for name in [*CLUSTERS, *PRODUCT]:
        for document in shapes.documents(name):
            shown, declared = shapes.shown(name, document), _without_secrets(document)
            assert shown["name"] == declared.name
            assert "kubeconfig" not in json.dumps(shown)
            wanted = with_defaults(declared) if isinstance(declared, Cluster) else declared
            assert shapes.as_manifest(name, document) == wanted
    with nothing_written(shapes.story.world):
        for name in [*CLUSTERS, *PRODUCT]:
            wanted = {f"{each['kind']}/{each['spec']['name']} unchanged" for each in shapes.documents(name)}
            assert wanted <= set(shapes.apply(name)), name
    for name in reversed([*CLUSTERS, *PRODUCT]):
        shapes.remove(name)
    listed = json.loads(shapes.run("cluster-host", "get", "clusters", "-o", "json"))
    assert listed["items"] == []
    assert shapes.story.gitlab_get(f"/groups/demo-{SUFFIX}").status_code == 404
