"""The manifests people write: what is refused, with line and column, and that each kind survives text and back."""

from __future__ import annotations

import time
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml
from hypothesis import given

from nautes.resources.cluster import Cluster
from nautes.resources.findings import Finding
from nautes.resources.kinds import APPLY_ORDER, KINDS, in_order
from nautes.resources.manifest import FINDINGS, manifest_of, parse, resource_of
from nautes.resources.names import owner_of
from nautes.resources.scalars import text_of
from tests.unit.resources.strategies import any_resource

EXAMPLES = Path(__file__).parents[3] / "examples"
PIPELINE: dict[str, Any] = {
    "project": "web",
    "pipelineSource": "pipelines",
    "pipelines": [{"name": "main", "path": "build.yaml"}],
    "eventSources": [{"name": "push", "gitlab": {"repoName": "source"}}],
    "pipelineTriggers": [{"eventSource": "push", "pipeline": "main"}],
}
PROJECT = "kind: Project\nspec:\n  name: web\n  product: shop\n"


def only(text: str) -> Finding:
    _, findings = parse(text, "file.yaml")
    assert len(findings) == 1, findings
    return findings[0]


@pytest.mark.parametrize(
    ("text", "rule", "place", "pointer"),
    [
        ("kind: Projekt\nspec: {}\n", "schema-unknown-kind", (1, 1), "/kind"),
        ("spec: {}\n", "schema-unknown-kind", (1, 1), "/kind"),
        ("spec: {}\nkind: [Project]\n", "schema-unknown-kind", (2, 1), "/kind"),
        ("kind: Project\n", "schema-spec", (1, 1), "/spec"),
        ("kind: Project\nspec: [a]\n", "schema-spec", (2, 1), "/spec"),
        ("- kind: Project\n", "schema-document", (1, 1), ""),
        ("just text\n", "schema-document", (1, 1), ""),
        (PROJECT + "  languages: python\n", "schema-unknown-field", (5, 3), "/spec/languages"),
        (PROJECT + "  a/b~c: 1\n", "schema-unknown-field", (5, 3), "/spec/a~1b~0c"),
        (PROJECT + "status: {}\n", "schema-unknown-field", (5, 1), "/status"),
        (PROJECT + "  name: web\n", "yaml-duplicate-key", (5, 3), "/spec/name"),
        (PROJECT + "  language: 3\n", "schema-value", (5, 3), "/spec/language"),
        ("apiVersion: v1\n" + PROJECT, "schema-api-version", (1, 1), "/apiVersion"),
        ("kind: Project\nspec:\n  product: shop\n", "schema-missing-field", (2, 1), "/spec/name"),
        (PROJECT.replace("web", "Web_"), "schema-value", (3, 3), "/spec/name"),
        (PROJECT.replace("shop", "admin"), "schema-value", (4, 3), "/spec/product"),
        (PROJECT.replace("shop", "'12'"), "schema-value", (4, 3), "/spec/product"),
        (PROJECT.replace("shop", "../up"), "schema-value", (4, 3), "/spec/product"),
        ("# comment\n---\n" + PROJECT + "  x: 1\n", "schema-unknown-field", (7, 3), "/spec/x"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, rule: str, place: tuple[int, int], pointer: str) -> None:
    found = only(text)
    assert (found.rule, (found.line, found.column), found.pointer) == (rule, place, pointer)
    assert found.message


def test_a_misspelled_word_gets_a_hint() -> None:
    assert only("kind: Projekt\nspec: {}\n").hint == "did you mean 'Project'?"
    assert only(PROJECT + "  langage: x\n").hint == "did you mean 'language'?"
    nested = "kind: Product\nspec: {name: shop, git: {gitlab: {visibilty: public}}}\n"
    assert only(nested).hint == "did you mean 'visibility'?"


def test_everything_wrong_is_said_at_once() -> None:
    text = PROJECT + "  x: 1\n---\nkind: Nothing\n---\n" + PROJECT + "---\nkind: Environment\nspec: {name: a}\n"
    resources, findings = parse(text)
    assert [each.key for each in resources] == ["Project/web"]
    found = [(each.rule, each.line) for each in findings]
    missing = [("schema-missing-field", 15)] * 3  # product, cluster, envType
    assert found == [("schema-unknown-field", 5), ("schema-unknown-kind", 7), *missing]


def test_one_name_is_declared_once() -> None:
    found = only(PROJECT + "---\n" + PROJECT)
    assert (found.rule, found.line, found.resource) == ("schema-duplicate-name", 6, "Project/web")
    assert "line 1" in found.message
    other = PROJECT.replace("shop", "toys")
    assert len(parse(PROJECT + "---\n" + other)[0]) == 2, "the same name in another product is another resource"


def test_empty_documents_are_passed_over() -> None:
    resources, findings = parse(f"---\n---\n{PROJECT}---\n# nothing\n---\n")
    assert ([each.key for each in resources], findings) == (["Project/web"], [])


def test_json_and_windows_line_ends_are_taken() -> None:
    as_json = '{"kind": "Project", "spec": {"name": "web", "product": "shop"}}'
    expected = parse(PROJECT)
    assert parse(as_json) == expected
    assert parse(PROJECT.replace("\n", "\r\n")) == expected


def test_a_hostile_document_costs_little_and_its_findings_are_bounded() -> None:
    began = time.process_time()
    many = "".join(f"  key{n}: 1\n" for n in range(10_000))
    for text in (PROJECT + many, PROJECT + "  name: web\n" * 10_000, "kind: " + "x" * 900_000, "---\nkind: X\n" * 400):
        findings = parse(text)[1]
        assert 0 < len(findings) <= FINDINGS + 1
        assert max(len(each.message) for each in findings) < 1000
    assert time.process_time() - began < 8


def test_a_kubeconfig_never_shows() -> None:
    spec = {"name": "k", "apiServer": "https://k8s.example.com", "clusterType": "physical", "usage": "host"}
    text = yaml.safe_dump({"kind": "Cluster", "spec": {**spec, "kubeconfig": "token: hunter2"}})
    [cluster], findings = parse(text)
    assert findings == []
    assert isinstance(cluster, Cluster)
    bare, secret = cluster.without_secrets()
    assert secret == "token: hunter2"
    shown = (repr(cluster), cluster.model_dump_json(), str(manifest_of(cluster)), repr(bare))
    assert "hunter2" not in "".join(shown)
    for wrong in ({"kubeconfig": ["hunter2"]}, {"kubeconfig": "hunter2", "usage": "hunter3"}):
        text = yaml.safe_dump({"kind": "Cluster", "spec": {**spec, **wrong}})
        assert "hunter" not in repr(parse(text))


@pytest.mark.parametrize("name", ["product.yaml", "clusters.yaml"])
def test_the_examples_are_valid(name: str) -> None:
    values = dict.fromkeys(("product", "deploy", "pipeline"), "shop")
    servers = {f"{key}_server": "https://k8s.example.com" for key in ("deploy", "pipeline")}
    values["pipeline"] = "builder"
    text = Template((EXAMPLES / name).read_text()).safe_substitute({**values, **servers})
    resources, findings = parse(text, name)
    assert findings == []
    assert len(resources) == text.count("\nkind: ")


def test_the_original_spellings_are_taken() -> None:
    def spec_of(kind: str, **spec: Any) -> Any:
        return resource_of({"kind": kind, "spec": {"name": "a", **spec}})

    source = {"codeRepo": "deploy", "targetRevision": "main", "path": "x"}
    runtime = {"product": "shop", "destination": {"environment": "test"}}
    for spelling in ("manifestSource", "manifestsource", "manifest_source"):
        assert spec_of("DeploymentRuntime", **runtime, **{spelling: source}).manifest_source.path == "x"
    for spelling in ("pipelineRuntime", "projectPipelineRuntime"):
        assert spec_of("CodeRepo", product="shop", **{spelling: True}).pipeline_runtime
    for spelling in ("coderepo", "codeRepo"):
        for owner in ("productName", "product_name", "product"):
            binding = spec_of("CodeRepoBinding", permissions="readonly", **{owner: "shop", spelling: "deploy"})
            assert (binding.product, binding.coderepo, binding.opened_to) == ("shop", "deploy", "shop")
    for spelling in ("codeRepo", "coderepo", "code_repo"):
        git = {"git": {spelling: "deploy"}}
        found = spec_of("ProjectPipelineRuntime", **runtime, **PIPELINE, additionalResources=git)
        assert manifest_of(found)["spec"]["additionalResources"] == {"git": {"codeRepo": "deploy"}}
        from_ = {"targetRevision": "main", "path": "x", spelling: "deploy"}
        found = spec_of("DeploymentRuntime", **runtime, manifestSource=from_)
        assert found.manifest_source.code_repo == "deploy"
    for kind, spec in (("DeploymentRuntime", {"manifestSource": source}), ("ProjectPipelineRuntime", PIPELINE)):
        old = spec_of(kind, product="shop", destination="test", **spec)
        assert old == spec_of(kind, product="shop", destination={"environment": "test"}, **spec)


def binding(**spec: Any) -> Any:
    spec = {"name": "open", "coderepo": "lib", "permissions": "readonly", **spec}
    return resource_of({"kind": "CodeRepoBinding", "spec": spec})


def test_a_binding_keeps_its_consumer_and_leaves_out_its_own_product() -> None:
    found = binding(productName="shop", product="group/other")
    assert (found.product, found.consumer, found.opened_to) == ("shop", "group/other", "group/other")
    assert manifest_of(found)["spec"]["product"] == "group/other"
    same = binding(productName="shop", product="shop")
    assert (same.consumer, same.opened_to) == ("", "shop")
    assert same == binding(productName="shop") == binding(product="shop") == binding(productName="shop", product="")
    assert "product" not in manifest_of(same)["spec"]


def test_the_other_side_of_a_sharing_names_the_repository_by_its_full_path() -> None:
    own, foreign = binding(productName="shop"), binding(productName="shop", coderepo="group/nested/lib")
    assert (own.foreign, owner_of(own.coderepo, own.product)) == (False, "shop")
    assert (foreign.foreign, owner_of(foreign.coderepo, foreign.product)) == (True, "group/nested")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ({"coderepo": "../lib"}, "must match"),
        ({"coderepo": "/lib"}, "must match"),
        ({"coderepo": "other/"}, "must match"),
        ({"coderepo": "12/lib"}, "digits only"),
        ({"coderepo": "other/default.project"}, "is reserved"),
        ({"coderepo": "default.project"}, "is reserved"),
        ({"product": "../up"}, "must match"),
        ({"permissions": "owner"}, "'readonly' or 'readwrite'"),
    ],
)
def test_a_binding_that_names_nothing_is_refused(spec: dict[str, str], says: str) -> None:
    text = yaml.safe_dump(
        {
            "kind": "CodeRepoBinding",
            "spec": {"name": "a", "productName": "shop", "coderepo": "a", "permissions": "readonly", **spec},
        }
    )
    found = only(text)
    [field] = spec
    assert (found.rule, found.pointer) == ("schema-value", f"/spec/{field}")
    assert says in found.message


def test_runtimes_may_name_repositories_of_other_products_and_nothing_outside_of_them() -> None:
    for repository, good in (("group/nested/lib", True), ("lib", True), ("other/../lib", False), ("/lib", False)):
        for changed in (
            {"pipelineSource": repository},
            {"eventSources": [{"name": "push", "gitlab": {"repoName": repository}}]},
            {"additionalResources": {"git": {"codeRepo": repository}}},
        ):
            spec = {"name": "a", "product": "shop", "destination": {"environment": "t"}, **PIPELINE, **changed}
            found, findings = parse(yaml.safe_dump({"kind": "ProjectPipelineRuntime", "spec": spec}))
            assert (bool(found), bool(findings)) == (good, not good), changed


def test_inputs_are_typed_and_an_unknown_field_in_them_has_its_place() -> None:
    inputs = [{"source": {"builtInVar": "Namespace"}, "transmissionMethod": {"kustomization": {"path": "/spec"}}}]
    trigger = {"eventSource": "push", "pipeline": "main", "inputs": inputs}
    spec = {"name": "a", "product": "shop", "destination": {"environment": "t"}, **PIPELINE}
    [found], findings = parse(
        yaml.safe_dump({"kind": "ProjectPipelineRuntime", "spec": {**spec, "pipelineTriggers": [trigger]}})
    )
    assert findings == []
    assert manifest_of(found)["spec"]["pipelineTriggers"] == [trigger]
    trigger = {**trigger, "inputs": [{"source": {"builtInVariable": "Namespace"}}]}
    wrong = only(yaml.safe_dump({"kind": "ProjectPipelineRuntime", "spec": {**spec, "pipelineTriggers": [trigger]}}))
    assert wrong.pointer == "/spec/pipelineTriggers/0/inputs/0/source/builtInVariable"
    assert "builtInVar" in wrong.hint


def test_a_protected_environment_says_so_and_an_ordinary_one_says_nothing() -> None:
    spec = {"name": "live", "product": "shop", "cluster": "c", "envType": "t"}
    for protected in (True, False):
        found: Any = resource_of({"kind": "Environment", "spec": {**spec, "protected": protected}})
        assert found.protected is protected
        assert manifest_of(found)["spec"] == ({**spec, "protected": True} if protected else spec)


@pytest.mark.parametrize("server", ["https://k8s.example.com:99999", "https://k8s.example.com:0", "https://k8s:port"])
def test_an_address_of_a_cluster_has_a_port_that_there_can_be(server: str) -> None:
    spec = {"name": "k", "apiServer": server, "clusterType": "physical", "usage": "host"}
    assert only(yaml.safe_dump({"kind": "Cluster", "spec": spec})).pointer == "/spec/apiServer"


def test_kinds_are_applied_in_the_order_of_the_seed_and_removed_in_reverse() -> None:
    assert list(KINDS) == [
        "Cluster",
        "Product",
        "Environment",
        "Project",
        "CodeRepo",
        "CodeRepoBinding",
        "ProjectPipelineRuntime",
        "DeploymentRuntime",
    ]
    text = "".join(f"---\n{PROJECT.replace('web', name)}" for name in "ba") + "---\nkind: Product\nspec: {name: shop}\n"
    found = parse(text)[0]
    assert [each.key for each in in_order(found)] == ["Product/shop", "Project/b", "Project/a"]
    assert [each.key for each in in_order(found, remove=True)] == ["Project/b", "Project/a", "Product/shop"]


@given(any_resource)
def test_every_resource_survives_text_and_back(resource: Any) -> None:
    manifest = manifest_of(resource)
    assert parse(text_of(manifest)) == ([resource], [])
    assert resource_of(manifest) == resource
    assert type(resource) in APPLY_ORDER


@pytest.mark.parametrize("kind", [*KINDS, "Nothing", ""])
def test_a_payload_that_is_no_manifest_is_a_value_error(kind: str) -> None:
    with pytest.raises(ValueError, match=r"missing|unknown kind"):
        resource_of({"kind": kind, "spec": {}})
