"""The stored form: where each kind lives, that it survives text and back, and that what cannot be read is never lost."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nautes.resources.manifest import resource_of
from nautes.resources.names import Names
from nautes.resources.stored import (
    CLUSTERS,
    KUSTOMIZATION,
    cluster_files,
    file_changes,
    foreign_ids,
    product_files,
    read_clusters,
    read_product,
    store,
)
from nautes.resources.tree import ProductTree, difference
from tests.unit.resources.strategies import FOREIGN, GROUP_ID, PRODUCT, REPOSITORIES, clusters, declared, plain, texts

NAMES = Names({**FOREIGN.products, PRODUCT: GROUP_ID}, {**FOREIGN.repositories, **REPOSITORIES})
REPOSITORY = {"name": "deploy", "product": PRODUCT}
RUNTIME: dict[str, Any] = {
    "name": "web",
    "product": PRODUCT,
    "manifestSource": {"codeRepo": "deploy", "targetRevision": "main", "path": "production"},
    "destination": {"environment": "test"},
}
PIPELINE: dict[str, Any] = {
    "name": "build",
    "product": PRODUCT,
    "project": "shop-web",
    "pipelineSource": "pipelines",
    "pipelines": [{"name": "main", "path": "build.yaml"}],
    "destination": {"environment": "test"},
    "eventSources": [{"name": "push", "gitlab": {"repoName": "source"}}, {"name": "nightly"}],
    "pipelineTriggers": [{"eventSource": "push", "pipeline": "main"}],
    "additionalResources": {"git": {"codeRepo": "deploy", "path": "extra"}},
}
BINDING = {"name": "open", "productName": PRODUCT, "coderepo": "deploy", "permissions": "readonly"}


def resource(kind: str, **spec: Any) -> Any:
    return resource_of({"kind": kind, "spec": spec})


@pytest.mark.parametrize(
    ("kind", "spec", "path"),
    [
        ("Environment", {"name": "test", "product": PRODUCT, "cluster": "c", "envType": "t"}, "envs/test.yaml"),
        ("Project", {"name": "web", "product": PRODUCT}, "projects/web/web.yaml"),
        ("ProjectPipelineRuntime", PIPELINE, "projects/shop-web/build.yaml"),
        ("CodeRepo", REPOSITORY, "code-repos/repo-2/repo-2.yaml"),
        ("CodeRepoBinding", BINDING, "code-repos/repo-2/open.yaml"),
        ("DeploymentRuntime", RUNTIME, "runtimes/web.yaml"),
    ],
)
def test_each_kind_lives_where_the_original_system_puts_it(kind: str, spec: dict[str, Any], path: str) -> None:
    found, text = store(resource(kind, **spec), NAMES)
    assert found == path
    written = yaml.safe_load(text)
    assert sorted(written) == ["apiVersion", "kind", "metadata", "spec"]
    assert written["kind"] == kind
    assert written["spec"]["product"] == "product-7", "products are stored by id"


def test_names_of_repositories_are_stored_as_ids_everywhere() -> None:
    spec = yaml.safe_load(store(resource("ProjectPipelineRuntime", **PIPELINE), NAMES)[1])["spec"]
    assert spec["pipelineSource"] == "repo-3"
    assert spec["eventSources"][0]["gitlab"]["repoName"] == "repo-1"
    assert spec["additionalResources"]["git"]["codeRepo"] == "repo-2"
    spec = yaml.safe_load(store(resource("DeploymentRuntime", **RUNTIME), NAMES)[1])["spec"]
    assert spec["manifestSource"]["codeRepo"] == "repo-2"
    assert yaml.safe_load(store(resource("CodeRepoBinding", **BINDING), NAMES)[1])["spec"]["coderepo"] == "repo-2"
    stored = yaml.safe_load(store(resource("CodeRepo", **REPOSITORY), NAMES)[1])
    assert (stored["metadata"]["name"], stored["spec"]["repoName"]) == ("repo-2", "deploy")


def test_a_product_or_cluster_is_no_file_of_a_product() -> None:
    with pytest.raises(ValueError, match="not stored"):
        store(resource("Product", name=PRODUCT), NAMES)


def test_the_kustomization_lists_every_file() -> None:
    tree = ProductTree.of(PRODUCT, "", [resource("CodeRepo", **REPOSITORY), resource("DeploymentRuntime", **RUNTIME)])
    files = product_files(tree, NAMES)
    assert set(files) == {KUSTOMIZATION, "code-repos/repo-2/repo-2.yaml", "runtimes/web.yaml"}
    listed = yaml.safe_load(files[KUSTOMIZATION])
    assert listed["resources"] == ["../code-repos/repo-2/repo-2.yaml", "../runtimes/web.yaml"]


@given(declared)
def test_a_declaration_survives_files_and_back(resources: list[Any]) -> None:
    tree = ProductTree.of(PRODUCT, "c1", resources)
    files = product_files(tree, NAMES)
    assert len(files) == len(tree.resources) + 1, "no two resources share a file"
    read, names = read_product(PRODUCT, GROUP_ID, "c1", files, FOREIGN)
    assert read.findings == ()
    assert dict(read.resources) == dict(tree.resources)
    assert names == NAMES
    assert difference(files, product_files(read, names)) == [], "writing what was read changes nothing"


@given(st.lists(clusters, max_size=3, unique_by=lambda each: each.name))
def test_clusters_survive_files_and_back(found: list[Any]) -> None:
    files = cluster_files(found)
    assert len(files) == len(found) + 1
    assert read_clusters(files) == (sorted(found, key=lambda each: f"{each.name}.yaml"), [])


def test_a_clusters_file_holds_no_kubeconfig_and_any_name_is_read() -> None:
    spec = {"apiServer": "https://k8s.example.com", "clusterType": "physical", "usage": "host", "kubeconfig": "hunter2"}
    files = cluster_files([resource("Cluster", name="my-kustomization", **spec)])
    assert "hunter2" not in str(files)
    assert sorted(files) == [f"{CLUSTERS}/kustomization.yaml", f"{CLUSTERS}/my-kustomization.yaml"]
    assert [each.name for each in read_clusters(files)[0]] == ["my-kustomization"]
    beside = {**files, f"{CLUSTERS}/README.md": "# Clusters", "tenant/production/app.yaml": "kind: ApplicationSet"}
    assert read_clusters(beside)[1] == []


def test_files_of_the_original_system_are_read() -> None:
    runtime = """
        apiVersion: nautes.resource.nautes.io/v1alpha1
        kind: DeploymentRuntime
        metadata: {creationTimestamp: null, name: web, namespace: product-7}
        spec:
          destination: {environment: test}
          manifestSource: {codeRepo: repo-2, path: production, targetRevision: main}
          product: product-7
    """
    repository = """
        kind: CodeRepo
        metadata: {name: repo-2}
        spec: {repoName: deploy, product: product-7, url: "ssh://git@gitlab.example.com/shop/deploy.git"}
    """
    files = {"runtimes/web.yaml": runtime, "code-repos/repo-2/repo-2.yaml": repository, "README.md": "# Shop"}
    tree, names = read_product(PRODUCT, GROUP_ID, "c1", files)
    assert tree.findings == ()
    assert names.repositories == {"deploy": 2}
    assert tree.resources["DeploymentRuntime/web"] == resource("DeploymentRuntime", **RUNTIME)


def test_what_the_original_system_leaves_empty_or_null_is_what_nobody_said() -> None:
    runtime = """
        apiVersion: nautes.resource.nautes.io/v1alpha1
        kind: ProjectPipelineRuntime
        metadata: {creationTimestamp: null, name: build, namespace: product-7}
        spec:
          account: ""
          destination: {environment: test, namespace: ""}
          eventSources:
          - {name: push, calendar: null, gitlab: {repoName: repo-1, revision: "", events: null}}
          - {name: nightly}
          hooks: {preHooks: null, postHooks: [{name: notify, alias: null, vars: {a: null}}]}
          isolation: ""
          pipelineSource: repo-3
          pipelineTriggers: [{eventSource: push, pipeline: main, inputs: null}]
          pipelines: [{name: main, label: default, path: build.yaml}]
          project: shop-web
    """
    files = {"projects/shop-web/build.yaml": runtime + "      product: product-7\n"}
    for name in ("source", "pipelines"):
        path, text = store(resource("CodeRepo", name=name, product=PRODUCT), NAMES)
        files[path] = text
    tree, names = read_product(PRODUCT, GROUP_ID, "c1", files)
    assert tree.findings == ()
    found = tree.resources["ProjectPipelineRuntime/build"]
    hooks = {"postHooks": [{"name": "notify", "vars": {"a": None}}]}  # people's own data stays as it is
    spec = {key: each for key, each in PIPELINE.items() if key != "additionalResources"}
    assert found == resource("ProjectPipelineRuntime", **spec, hooks=hooks)
    again, _ = read_product(PRODUCT, GROUP_ID, "c1", product_files(tree, names))
    assert dict(again.resources) == dict(tree.resources)


def shared() -> tuple[Any, Any]:
    """The own side of a sharing of `deploy`, and the other side of one of `other/lib`."""
    ours = resource("CodeRepoBinding", **{**BINDING, "product": "group/nested"})
    theirs = resource("CodeRepoBinding", **{**BINDING, "name": "lib", "coderepo": "other/lib"})
    return ours, theirs


def test_both_sides_of_a_sharing_are_stored_by_ids() -> None:
    for binding, path, product, repository in zip(
        shared(),
        ("code-repos/repo-2/open.yaml", "code-repos/repo-17/lib.yaml"),
        ("product-9", "product-7"),
        ("repo-2", "repo-17"),
        strict=True,
    ):
        found, text = store(binding, NAMES)
        spec = yaml.safe_load(text)["spec"]
        assert (found, spec["product"], spec["coderepo"]) == (path, product, repository)


def test_what_files_name_of_other_products_is_told_and_translated_once_it_is_known() -> None:
    runtime = resource(
        "DeploymentRuntime",
        **{**RUNTIME, "manifestSource": {**RUNTIME["manifestSource"], "codeRepo": "group/nested/lib"}},
    )
    tree = ProductTree.of(PRODUCT, "", [resource("CodeRepo", **REPOSITORY), *shared(), runtime])
    files = product_files(tree, NAMES)
    assert foreign_ids(files) == foreign_ids(files, GROUP_ID) == ({17, 18}, {9})
    read, names = read_product(PRODUCT, GROUP_ID, "", files, FOREIGN)
    assert dict(read.resources) == dict(tree.resources)
    assert names.repositories == {"deploy": 2, **FOREIGN.repositories}
    unknown, names = read_product(PRODUCT, GROUP_ID, "", files)
    assert unknown.findings == ()
    assert unknown.resources["CodeRepoBinding/lib"].coderepo == "repo-17"  # type: ignore[attr-defined]
    assert unknown.resources["CodeRepoBinding/open"].consumer == "product-9"  # type: ignore[attr-defined]
    assert product_files(unknown, names) == files, "what is not known stays as it is"


def test_a_product_without_sharings_names_nothing_of_others() -> None:
    tree = ProductTree.of(PRODUCT, "", [resource("CodeRepo", **REPOSITORY), resource("DeploymentRuntime", **RUNTIME)])
    assert foreign_ids(product_files(tree, NAMES)) == (set(), set())
    assert foreign_ids({"envs/a.yaml": "a: [", "runtimes/b.yaml": "kind: 5"}) == (set(), set())
    alone = dict([store(shared()[1], NAMES)])
    assert foreign_ids(alone, GROUP_ID) == ({17}, set()), (
        "the own product is no other, even where nothing else names it"
    )


def test_the_own_name_of_a_repository_wins_over_its_full_path() -> None:
    files = dict(
        [store(resource("CodeRepo", **REPOSITORY), NAMES), store(resource("DeploymentRuntime", **RUNTIME), NAMES)]
    )
    tree, _ = read_product(
        PRODUCT, GROUP_ID, "", files, Names(repositories={"a/b": 99, f"{PRODUCT}/deploy": 2, "x": 2})
    )
    assert tree.resources["DeploymentRuntime/web"].manifest_source.code_repo == "deploy"  # type: ignore[attr-defined]


def test_an_ordinary_environment_is_stored_as_the_original_system_stores_it() -> None:
    spec = {"name": "test", "product": PRODUCT, "cluster": "c", "envType": "t"}
    for protected in (False, True):
        written = yaml.safe_load(store(resource("Environment", **spec, protected=protected), NAMES)[1])["spec"]
        assert written.get("protected", False) is protected
        assert ("protected" in written) is protected


def test_a_reference_that_leads_nowhere_stays_as_it_is() -> None:
    files = dict([store(resource("DeploymentRuntime", **RUNTIME), NAMES)])
    tree, names = read_product(PRODUCT, GROUP_ID, "c1", files)  # the repository's own file is gone
    assert tree.resources["DeploymentRuntime/web"].manifest_source.code_repo == "repo-2"  # type: ignore[attr-defined]
    written = product_files(tree, names)
    assert written.items() >= files.items(), "and does not keep the rest of the product from being written"


HEAD = "kind: DeploymentRuntime\nmetadata: {name: web}\n"


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "just text",
        "- a\n- b\n",
        "kind: DeploymentRuntime\n",
        "kind: DeploymentRuntime\nmetadata: {name: 5}\nspec: {}\n",
        "kind: Unknown\nmetadata: {name: a}\nspec: {}\n",
        HEAD + "spec: text\n",
        HEAD + "spec: {manifestSource: text}\n",
        HEAD + "spec: {eventSources: 5}\n",
        HEAD + "spec: {eventSources: [1, [2], null]}\n",
        HEAD + "spec: {additionalResources: [1]}\n",
        HEAD + "spec: {additionalResources: {git: 1}}\n",
        HEAD + "spec: {product: [], codeRepo: {a: 1}}\n",
        "kind: CodeRepo\nmetadata: {name: repo-²}\nspec: {}\n",
        f"kind: CodeRepo\nmetadata: {{name: repo-{'9' * 5000}}}\nspec: {{}}\n",
        "a: 1\n" * 2,
    ],
)
def test_a_file_that_cannot_be_read_is_a_finding_that_names_it(text: str) -> None:
    good = dict([store(resource("CodeRepo", **REPOSITORY), NAMES)])
    tree, _ = read_product(PRODUCT, GROUP_ID, "c1", {**good, "runtimes/web.yaml": text})
    assert list(tree.resources) == ["CodeRepo/deploy"], "its neighbours are read all the same"
    assert tree.findings
    assert all("runtimes/web.yaml" in each.message for each in tree.findings)
    clusters, findings = read_clusters({f"{CLUSTERS}/a.yaml": text})
    assert (clusters, bool(findings)) == ([], True)


@given(st.dictionaries(texts, plain, max_size=3) | plain, st.sampled_from([*"ab", "eventSources", "manifestSource"]))
def test_no_file_makes_reading_raise(data: Any, key: str) -> None:
    for kind in ("CodeRepo", "ProjectPipelineRuntime", "CodeRepoBinding"):
        body = {"kind": kind, "metadata": {"name": "repo-1"}, "spec": {"product": data, "coderepo": data, key: data}}
        for text in (yaml.safe_dump(body), yaml.safe_dump(data)):
            tree, _ = read_product(PRODUCT, GROUP_ID, "", {"envs/a.yaml": text})
            assert tree.resources or tree.findings or data is None


def changes(files: dict[str, str], apply: Iterable[Any] = (), remove: Iterable[str] = ()) -> list[Any]:
    """What a change would commit to a product that holds these files."""
    before, names = read_product(PRODUCT, GROUP_ID, "c1", files, FOREIGN)
    return file_changes(files, before, before.apply(apply).remove(remove), names)


@given(declared, st.data())
def test_what_cannot_be_read_is_never_deleted_or_overwritten(resources: list[Any], data: st.DataObject) -> None:
    files = product_files(ProductTree.of(PRODUCT, "", resources), NAMES)
    broken = data.draw(st.sampled_from(sorted(path for path in files if not path.startswith("code-repos/"))))
    there = {**files, broken: "kind: [", "runtimes/by-hand.yaml": "kind: Nothing", "envs/notes.txt": "mine"}
    tree, _ = read_product(PRODUCT, GROUP_ID, "c1", there)
    gone = data.draw(st.lists(st.sampled_from(sorted(tree.resources)), max_size=3))
    gone = [each for each in gone if not each.startswith("CodeRepo/")]
    touched = {each.path: each.action for each in changes(there, remove=gone)}
    assert not {broken, "runtimes/by-hand.yaml", "envs/notes.txt"} & (set(touched) - {KUSTOMIZATION})
    deleted = {path for path, action in touched.items() if action == "delete"}
    assert deleted == {store(tree.resources[key], NAMES)[0] for key in gone}


def test_a_change_touches_the_file_of_what_changed_and_the_list() -> None:
    environment = resource("Environment", name="test", product=PRODUCT, cluster="c", envType="t")
    files = product_files(ProductTree.of(PRODUCT, "", [environment, resource("CodeRepo", **REPOSITORY)]), NAMES)
    again = changes(files, apply=[environment])
    assert again == []
    moved = changes(files, apply=[environment.model_copy(update={"cluster": "d"})])
    assert [(each.action, each.path) for each in moved] == [("update", "envs/test.yaml")]
    more = changes(files, apply=[resource("DeploymentRuntime", **RUNTIME)])
    assert [(each.action, each.path) for each in more] == [
        ("update", KUSTOMIZATION),
        ("create", "runtimes/web.yaml"),
    ]
    less = changes(files, remove=["Environment/test"])
    assert [(each.action, each.path) for each in less] == [("delete", "envs/test.yaml"), ("update", KUSTOMIZATION)]
