"""The stored form: CR YAML in `default.project` and in the tenant repository, in the layout of the original system.

`store` writes one resource; `read_product` and `read_clusters` read what a commit holds, the original's files included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from typing import Any

from nautes.resources.base import API_VERSION, Resource
from nautes.resources.cluster import Cluster
from nautes.resources.documents import documents
from nautes.resources.findings import Finding
from nautes.resources.manifest import resource_of, without_nulls
from nautes.resources.names import STORED_PRODUCT, STORED_REPOSITORY, Names, is_foreign
from nautes.resources.product import CodeRepo, CodeRepoBinding, Environment
from nautes.resources.scalars import text_of
from nautes.resources.tree import FileChange, ProductTree, difference

KUSTOMIZATION = "production/kustomization.yaml"
CLUSTERS = "nautes/overlays/production/clusters"
CLUSTER_KUSTOMIZATION = f"{CLUSTERS}/kustomization.yaml"
KUSTOMIZE_VERSION = "kustomize.config.k8s.io/v1beta1"

Rename = Callable[[str], str]


def store(resource: Resource, names: Names) -> tuple[str, str]:
    """Path and text of a resource. Raises `KeyError` when a name it uses has no id."""
    spec = resource.model_dump(mode="json", by_alias=True, exclude_none=True)
    metadata_name = resource.name
    if resource.kind != "CodeRepo":
        spec.pop("name")
    if isinstance(resource, CodeRepo):
        metadata_name = names.repository_id(resource.name)
        spec["repoName"] = spec.pop("name")
    if isinstance(resource, CodeRepoBinding):
        spec["product"] = resource.opened_to  # the original always wrote its own product here
        spec.pop("productName")
    if isinstance(resource, Environment) and not resource.protected:
        spec.pop("protected")
    _rename(spec, names.product_id, names.repository_id)
    data = {"apiVersion": API_VERSION, "kind": resource.kind, "metadata": {"name": metadata_name}, "spec": spec}
    return _path(resource, names), text_of(data)


def product_files(tree: ProductTree, names: Names) -> dict[str, str]:
    """Every file of a product's declaration, with the kustomization that lists them."""
    files = dict(store(each, names) for each in tree if each.kind != "Product")
    return {**files, KUSTOMIZATION: kustomization(f"../{path}" for path in files)}


def file_changes(
    present: Mapping[str, str], before: ProductTree, after: ProductTree, names: Names, earlier: Names | None = None
) -> list[FileChange]:
    """The files a commit must write so that `present` holds `after`: only those of resources that differ from `before`.

    Other files, and resources that are equal but written in another form, stay as they are. `earlier` are the ids of `before`,
    where a repository has another one now. Raises `KeyError` as `store` does.
    """
    old, new = product_files(before, earlier or names), product_files(after, names)
    wanted = {path: text for path, text in present.items() if path not in old or path in new}
    wanted |= {path: text for path, text in new.items() if path not in present or old.get(path) != text}
    return difference(present, wanted)


def cluster_files(clusters: Iterable[Cluster]) -> dict[str, str]:
    """Every cluster file of the tenant repository, with its kustomization."""
    files = {}
    for each in clusters:
        spec = each.without_secrets()[0].model_dump(mode="json", by_alias=True, exclude_none=True)
        data = {"apiVersion": API_VERSION, "kind": "Cluster", "metadata": {"name": spec.pop("name")}, "spec": spec}
        files[f"{CLUSTERS}/{each.name}.yaml"] = text_of(data)
    return {**files, CLUSTER_KUSTOMIZATION: kustomization(f"{each.name}.yaml" for each in clusters)}


def kustomization(resources: Iterable[str]) -> str:
    """The list of files that Argo CD of the original system reads."""
    data = {"apiVersion": KUSTOMIZE_VERSION, "kind": "Kustomization", "resources": sorted(resources)}
    return text_of(data)


def read_product(
    path: str, group_id: int, commit: str, files: Mapping[str, str], foreign: Names | None = None
) -> tuple[ProductTree, Names]:
    """The declaration a commit holds; files that cannot be read become findings of the tree, nothing raises.

    `foreign` translates the ids of other products and repositories, as listed by `foreign_ids`, into full paths.
    """
    raw, findings = _objects(files, _is_declaration)
    others = foreign or Names()
    names = Names(
        products={**others.products, path: group_id},
        repositories={
            **{name: number for name, number in others.repositories.items() if is_foreign(name)},
            **_repositories(raw),
        },
    )
    found = []
    for file, data in raw:
        try:
            found.append(_load(data, names, path))
        except ValueError as error:
            findings.append(Finding(rule="stored-unreadable", message=f"{file}: {error}", pointer=file))
    return ProductTree.of(path, commit, found, findings), names


def foreign_ids(files: Mapping[str, str], own: int = 0) -> tuple[set[int], set[int]]:
    """Ids in a declaration that are not its own: (project ids of repositories, group ids of products).

    `own` is the product's own group id; without it, the product named by the files other than bindings is taken for it.
    """
    raw, _ = _objects(files, _is_declaration)
    products, mine, repositories = set[str](), {f"product-{own}"}, set[str]()
    for _, data in raw:
        of = products if data["kind"] == "CodeRepoBinding" else mine
        _rename(deepcopy(data["spec"]), _noted(of), _noted(repositories))
    declared = _repositories(raw).values()
    return (
        _numbers(repositories, STORED_REPOSITORY).difference(declared),
        _numbers(products - mine, STORED_PRODUCT),
    )


def _noted(names: set[str]) -> Rename:
    def note(name: str) -> str:
        names.add(name)
        return name

    return note


def _numbers(names: Iterable[str], pattern: str) -> set[int]:
    return {int(each.rpartition("-")[2]) for each in names if re.fullmatch(pattern, each)}


def _repositories(raw: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, int]:
    """Name -> project id of the repositories that these objects declare."""
    return {
        str(data["spec"].get("repoName", "")): int(data["metadata"]["name"].removeprefix("repo-"))
        for _, data in raw
        if data["kind"] == "CodeRepo" and re.fullmatch(STORED_REPOSITORY, data["metadata"]["name"])
    }


def read_clusters(files: Mapping[str, str]) -> tuple[list[Cluster], list[Finding]]:
    """The clusters a commit of the tenant repository holds."""
    raw, findings = _objects(files, _is_cluster)
    found = []
    for file, data in raw:
        try:
            found.append(_load(data, Names(), ""))
        except ValueError as error:
            findings.append(Finding(rule="stored-unreadable", message=f"{file}: {error}", pointer=file))
    return [each for each in found if isinstance(each, Cluster)], findings


def _load(data: Mapping[str, Any], names: Names, product: str) -> Resource:
    """A stored object as a resource. Raises `ValueError`."""
    spec = without_nulls(data["spec"])
    kind = str(data["kind"])
    spec["name"] = spec.pop("repoName", "") if kind == "CodeRepo" else data["metadata"]["name"]
    spec.pop("url", None)
    _rename(spec, names.product, names.repository)
    if kind == "CodeRepoBinding":
        spec["coderepo"] = spec.pop("codeRepo", spec.get("coderepo"))
        spec["productName"] = product
    if not spec.get("isolation", True):
        spec.pop("isolation")
    return resource_of({"apiVersion": API_VERSION, "kind": kind, "spec": spec})


def _objects(
    files: Mapping[str, str], wanted: Callable[[str], bool]
) -> tuple[list[tuple[str, dict[str, Any]]], list[Finding]]:
    found, findings = [], []
    for path in sorted(files):
        if not wanted(path):
            continue
        read, wrong = documents(files[path], path)
        findings += [each.model_copy(update={"message": f"{path}: {each.message}"}) for each in wrong]
        for document in read:
            if _is_object(document.data):
                found.append((path, document.data))
            else:
                findings.append(Finding(rule="stored-unreadable", message=f"{path} holds no resource", pointer=path))
    return found, findings


def _is_object(data: Any) -> bool:
    return (
        isinstance(data, dict)
        and isinstance(data.get("kind"), str)
        and isinstance(data.get("spec"), dict)
        and isinstance(data.get("metadata"), dict)
        and isinstance(data["metadata"].get("name"), str)
    )


def _is_declaration(path: str) -> bool:
    return path.split("/")[0] in ("envs", "projects", "code-repos", "runtimes") and path.endswith((".yaml", ".yml"))


def _is_cluster(path: str) -> bool:
    return path.startswith(f"{CLUSTERS}/") and path.endswith((".yaml", ".yml")) and path != CLUSTER_KUSTOMIZATION


def _path(resource: Resource, names: Names) -> str:
    kind, name = resource.kind, resource.name
    if kind == "Environment":
        return f"envs/{name}.yaml"
    if kind == "Project":
        return f"projects/{name}/{name}.yaml"
    if kind == "ProjectPipelineRuntime":
        return f"projects/{resource.project}/{name}.yaml"  # type: ignore[attr-defined]
    if kind == "CodeRepo":
        repository = names.repository_id(name)
        return f"code-repos/{repository}/{repository}.yaml"
    if kind == "CodeRepoBinding":
        return f"code-repos/{names.repository_id(resource.coderepo)}/{name}.yaml"  # type: ignore[attr-defined]
    if kind == "DeploymentRuntime":
        return f"runtimes/{name}.yaml"
    raise ValueError(f"{kind} is not stored in a product")


def _rename(spec: dict[str, Any], product: Rename, repository: Rename) -> None:
    """Translate every name in a spec, in place."""
    for holder, key, rename in (
        (spec, "product", product),
        (spec, "coderepo", repository),
        (spec, "codeRepo", repository),
        (spec, "pipelineSource", repository),
        (spec.get("manifestSource"), "codeRepo", repository),
        *((git, "codeRepo", repository) for git in _inside([spec.get("additionalResources")], "git")),
        *((source, "repoName", repository) for source in _inside(spec.get("eventSources"), "gitlab")),
    ):
        if isinstance(holder, dict) and isinstance(holder.get(key), str) and holder[key]:
            holder[key] = rename(holder[key])


def _inside(values: Any, key: str) -> list[Any]:
    """`key` of each element of a list; a value written by hand may have any shape."""
    return [each.get(key) for each in values if isinstance(each, dict)] if isinstance(values, list) else []
