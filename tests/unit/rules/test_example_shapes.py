"""The example shapes of the documented system: filled in, they parse, break no rule, and come back as they went in."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import Any

import pytest

from nautes.resources.cluster import Cluster
from nautes.resources.kinds import in_order
from nautes.resources.manifest import manifest_of, parse
from nautes.resources.product import Product
from nautes.resources.scalars import text_of
from nautes.resources.tree import ProductTree
from nautes.rules import clusters
from nautes.rules.engine import World, check

SHAPES = Path(__file__).parents[3] / "examples" / "shapes"
KUBECONFIG = "apiVersion: v1\nkind: Config\nclusters: []\n"
KINDS = {
    "cluster-host": ["Cluster"],
    "cluster-physical-worker-deployment": ["Cluster"],
    "cluster-physical-worker-pipeline": ["Cluster"],
    "cluster-virtual-worker-deployment": ["Cluster"],
    "cluster-virtual-worker-pipeline": ["Cluster"],
    "demo-product": ["Product", "Project", "CodeRepo", "CodeRepo", "CodeRepo"],
    "demo-pipeline": ["Environment", "CodeRepoBinding", "ProjectPipelineRuntime"],
    "demo-deployment": ["Environment", "CodeRepoBinding", "DeploymentRuntime"],
}


def read(name: str, suffix: str = "a1") -> list[Any]:
    """The resources of a shape, with every placeholder filled in as the user of the file would."""
    values = {"suffix": suffix}
    values |= {f"{each}_server": f"https://{each}.example.com:6443" for each in ("host", "deployment", "pipeline")}
    values |= {
        f"{each}_kubeconfig": KUBECONFIG.replace("\n", "\n    ").strip() for each in ("host", "deployment", "pipeline")
    }
    values |= {f"virtual_{each}_address": f"{each}.example.com:31443" for each in ("deployment", "pipeline")}
    values |= {f"virtual_{each}_port": "31443" for each in ("deployment", "pipeline")}
    resources, findings = parse(Template((SHAPES / f"{name}.yaml").read_text()).substitute(values), f"{name}.yaml")
    assert findings == []
    return resources


def registered() -> dict[str, Cluster]:
    """The clusters of the shapes, registered in an order in which each host comes first."""
    found: dict[str, Cluster] = {}
    for name in sorted(each for each in KINDS if each.startswith("cluster-")):
        [given] = read(name)
        cluster = clusters.with_defaults(given.without_secrets()[0])
        assert clusters.check(cluster, None, found, []) == [], name
        found[cluster.name] = cluster
    return found


def test_there_is_one_file_for_each_shape_and_it_holds_what_it_says() -> None:
    assert {each.stem for each in SHAPES.glob("*.yaml")} == set(KINDS)
    for name, kinds in KINDS.items():
        assert [each.kind for each in read(name)] == kinds


def test_clusters_are_registered_with_their_kubeconfig_and_advice() -> None:
    for name, cluster in registered().items():
        told = [each.message for each in clusters.warnings(cluster)]
        assert any("does not install traefik;" in each or "does not install hnc;" in each for each in told), name
        assert clusters.with_defaults(cluster) == cluster
    [host], [worker] = read("cluster-host"), read("cluster-virtual-worker-pipeline")
    assert host.without_secrets()[1] == KUBECONFIG
    assert worker.without_secrets()[1] is None
    assert worker.host_cluster == host.name


def test_the_product_is_set_up_file_by_file_and_breaks_no_rule() -> None:
    world = World(ProductTree("demo-a1"), registered(), products=frozenset({"demo-a1"}))
    for name in ("demo-product", "demo-pipeline", "demo-deployment"):
        change = [each for each in in_order(read(name)) if not isinstance(each, Product)]
        after = World(world.tree.apply(change), world.clusters, products=world.products)
        report = check([each.key for each in change], world, after)
        assert (report.new, report.already, report.warnings) == ([], [], [])
        world = after
    everything = check(world.tree.resources, World(ProductTree("demo-a1")), world)
    assert everything.new == []


@pytest.mark.parametrize("name", KINDS)
def test_a_shape_is_the_same_for_another_suffix_and_comes_back_as_it_went_in(name: str) -> None:
    mine, other = read(name), read(name, "b2")
    assert not {each.name for each in mine} & {each.name for each in other}
    for each in mine:
        assert "$" not in str(manifest_of(each))
        bare = each.without_secrets()[0] if isinstance(each, Cluster) else each
        assert parse(text_of(manifest_of(bare))) == ([bare], [])
