"""Valid resources of every kind, for hypothesis: one product `shop` with three repositories, everything else at will.

Two other products are known, with a repository each: one of them is a nested group.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from nautes.resources.cluster import Cluster, ClusterResource, Component, Components, VirtualCluster
from nautes.resources.names import Names
from nautes.resources.product import (
    CodeRepo,
    CodeRepoBinding,
    Environment,
    Git,
    GitLabSettings,
    Product,
    Project,
    Webhook,
)
from nautes.resources.runtime import (
    AdditionalGit,
    AdditionalResources,
    Calendar,
    DeploymentDestination,
    DeploymentRuntime,
    EventSource,
    GitLabEvents,
    Hook,
    Hooks,
    Input,
    InputSource,
    Kustomization,
    ManifestSource,
    Pipeline,
    PipelineDestination,
    ProjectPipelineRuntime,
    TransmissionMethod,
    Trigger,
)

PRODUCT, GROUP_ID = "shop", 7
REPOSITORIES = {"source": 1, "deploy": 2, "pipelines": 3}
FOREIGN = Names({"other": 8, "group/nested": 9}, {"other/lib": 17, "group/nested/lib": 18})


def made(model: Any, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A model with these fields (by their Python names, which `st.builds` would take for additional ones)."""
    return st.fixed_dictionaries(fields).map(lambda given: model(**given))


labels = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,6}[a-z0-9])?", fullmatch=True)
subdomains = st.from_regex(r"[a-z]([-a-z0-9]{0,4}[a-z0-9])?(\.[a-z0-9]{1,3}){0,2}", fullmatch=True)
texts = st.text(max_size=12)
required = st.text(min_size=1, max_size=12)
repositories = st.sampled_from([*sorted(REPOSITORIES), *FOREIGN.repositories])
scalars = st.none() | st.booleans() | st.integers(-(1 << 63), 1 << 63) | st.floats(allow_nan=False) | texts
plain = st.recursive(
    scalars.filter(lambda each: each not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
mappings = st.dictionaries(texts, plain, max_size=2)
gits = made(
    Git,
    gitlab=st.none()
    | made(
        GitLabSettings,
        name=texts,
        path=texts,
        visibility=st.sampled_from(["", "private", "public"]),
        description=st.none() | texts,
        parent_id=st.none() | st.integers(0, 1 << 40),
    ),
)
products = made(Product, name=labels.filter(lambda each: not each.isdigit() and each != "v2"), git=gits)
environments = made(
    Environment,
    name=labels,
    product=st.just(PRODUCT),
    cluster=required,
    env_type=required,
    protected=st.booleans(),
)
projects = made(Project, name=labels, product=st.just(PRODUCT), language=texts)
bindings = made(
    CodeRepoBinding,
    name=labels,
    product=st.just(PRODUCT),
    consumer=st.sampled_from(["", *FOREIGN.products]),
    coderepo=repositories,
    permissions=st.sampled_from(["readonly", "readwrite"]),
    projects=st.lists(texts, max_size=2),
)
deployments = made(
    DeploymentRuntime,
    name=labels,
    product=st.just(PRODUCT),
    projects_ref=st.lists(texts, max_size=2),
    manifest_source=made(ManifestSource, code_repo=repositories, target_revision=required, path=required),
    destination=made(DeploymentDestination, environment=required, namespaces=st.lists(labels, max_size=2)),
    account=st.just("") | labels,
)
_sources = made(
    EventSource,
    name=subdomains,
    gitlab=st.none() | made(GitLabEvents, repo_name=repositories, revision=texts, events=st.lists(texts, max_size=2)),
    calendar=st.none()
    | made(Calendar, schedule=texts, interval=texts, exclusion_dates=st.lists(texts, max_size=2), timezone=texts),
)
_hooks = st.lists(
    made(Hook, name=required, alias=st.none() | texts, vars=st.none() | mappings),
    max_size=1,
)
_inputs = made(
    Input,
    source=made(InputSource, built_in_var=st.none() | texts, from_event=st.none() | texts),
    transmission_method=made(TransmissionMethod, kustomization=st.none() | made(Kustomization, path=texts)),
)
_triggers = made(
    Trigger,
    event_source=required,
    pipeline=required,
    revision=texts,
    inputs=st.none() | st.lists(_inputs, max_size=1),
)
pipelines = made(
    ProjectPipelineRuntime,
    name=labels,
    product=st.just(PRODUCT),
    project=labels,
    pipeline_source=repositories,
    pipelines=st.lists(made(Pipeline, name=subdomains, label=texts, path=required), min_size=1, max_size=2),
    destination=made(PipelineDestination, environment=required, namespace=st.just("") | labels),
    event_sources=st.lists(_sources, min_size=1, max_size=2),
    pipeline_triggers=st.lists(_triggers, min_size=1, max_size=2),
    isolation=st.sampled_from(["shared", "exclusive"]),
    additional_resources=st.none()
    | made(
        AdditionalResources,
        git=st.none()
        | made(AdditionalGit, code_repo=st.just("") | repositories, url=texts, revision=texts, path=texts),
    ),
    hooks=st.none() | made(Hooks, pre_hooks=_hooks, post_hooks=_hooks),
    account=st.just("") | labels,
)
_components = st.none() | made(
    Component,
    name=required,
    namespace=st.just("") | labels,
    additions=st.none() | st.dictionaries(texts, texts, max_size=2),
)
clusters = made(
    Cluster,
    name=labels.filter(lambda each: each != "kustomization"),
    api_server=st.sampled_from(["https://k8s.example.com", "https://[2001:db8::1]:6443/base"]),
    cluster_type=st.sampled_from(["physical", "virtual"]),
    usage=st.sampled_from(["host", "worker"]),
    worker_type=st.sampled_from(["", "pipeline", "deployment"]),
    host_cluster=texts,
    primary_domain=texts,
    components_list=made(Components, deployment=_components, oauth_proxy=_components),
    reserved_namespaces_allowed_products=st.none() | st.dictionaries(texts, st.lists(texts, max_size=2), max_size=2),
    product_allowed_cluster_resources=st.none()
    | st.dictionaries(texts, st.lists(made(ClusterResource, kind=required, group=texts), max_size=2), max_size=2),
    vcluster=st.none() | made(VirtualCluster, https_node_port=texts),
    kubeconfig=st.none(),
)


def repository(name: str) -> st.SearchStrategy[CodeRepo]:
    """A repository of this name."""
    return made(
        CodeRepo,
        name=st.just(name),
        product=st.just(PRODUCT),
        project=texts,
        deployment_runtime=st.booleans(),
        pipeline_runtime=st.booleans(),
        webhook=st.none() | made(Webhook, events=st.lists(texts, max_size=2)),
        git=gits,
        code_repo_provider=texts,
    )


any_resource: st.SearchStrategy[Any] = st.one_of(
    clusters, products, environments, projects, repository("source"), bindings, pipelines, deployments
)


def _file(resource: Any) -> tuple[str, ...]:
    """What decides where a resource is stored: two of them never share a file (rule layout-path)."""
    if isinstance(resource, Project | ProjectPipelineRuntime):
        return "projects", getattr(resource, "project", resource.name), resource.name
    return resource.kind, resource.name


declared = st.tuples(
    *(repository(name) for name in sorted(REPOSITORIES)),
    *(
        st.lists(each, max_size=2, unique_by=lambda one: one.name)
        for each in (environments, projects, bindings, deployments)
    ),
    st.lists(pipelines, max_size=1),
).map(
    lambda found: list(
        {_file(each): each for part in found for each in (part if isinstance(part, list) else [part])}.values()
    )
)
