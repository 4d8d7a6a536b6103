"""One failing and one passing case (mostly a near miss) for every rule about products, by the rule's id."""

from __future__ import annotations

from tests.unit.rules.shop import (
    Case,
    binding,
    cluster,
    deployment,
    environment,
    events,
    pipeline,
    repository,
    resource,
)

SHARED = {"destination": {"environment": "build", "namespace": "ci"}}
OPENED = cluster("run", reservedNamespacesAllowedProducts={"nautes": ["shop"]})
TRIGGER = {"eventSource": "push", "pipeline": "main"}
MAIN = {"name": "main", "path": "build.yaml"}


def product(path: str) -> object:
    return resource("Product", "group/shop", git={"gitlab": {"path": path}})


def hooked(*events: str) -> object:
    return repository(webhook={"events": list(events)})


def into(*namespaces: str) -> object:
    return deployment(destination={"environment": "test", "namespaces": list(namespaces)})


CASES: dict[str, list[Case]] = {
    "reference-unknown": [
        Case([], [deployment()], "DeploymentRuntime/live", "Environment/test does not", without=["Environment/test"]),
        Case([repository(project="none")], [repository(project="")], "CodeRepo/deploy", "Project/none does not"),
        Case([binding(coderepo="none")], [binding()], "CodeRepoBinding/open", "CodeRepo/none does not"),
        Case([pipeline(pipelineSource="none")], [pipeline()], "ProjectPipelineRuntime/build", "CodeRepo/none"),
        Case(
            [pipeline(eventSources=[events(repoName="none")])],
            [pipeline(eventSources=[events(repoName="pipelines")])],
            "ProjectPipelineRuntime/build",
            "CodeRepo/none",
        ),
    ],
    "product-path": [Case([product("toys")], [product("shop")], "Product/group/shop", "must be group/shop")],
    "environment-cluster-unknown": [
        Case([environment("new", "none")], [environment("new", "other")], "Environment/new", "none is not registered")
    ],
    "environment-cluster-shared": [
        Case([environment("zzz", "run")], [environment("zzz", "other")], "Environment/zzz", "environment test"),
        Case([environment("aaa", "run")], [environment("test", "run")], "Environment/test", "environment aaa"),
    ],
    "repository-path": [
        Case(
            [repository(git={"gitlab": {"path": "Deploy"}})],
            [repository(git={"gitlab": {"path": "deploy"}})],
            "CodeRepo/deploy",
            "must be deploy",
        )
    ],
    "repository-events": [Case([hooked("pushes")], [hooked("push_events", "")], "CodeRepo/deploy", "'pushes'")],
    "project-name": [
        Case([resource("Project", "runtimes")], [resource("Project", "runtime")], "Project/runtimes", "folder")
    ],
    "layout-path": [
        Case([pipeline("web")], [pipeline("web-build")], "ProjectPipelineRuntime/web", "Project/web"),
        Case([binding("repo-2")], [binding("repo-two")], "CodeRepoBinding/repo-2", "CodeRepo/deploy"),
    ],
    "deployment-cluster": [
        Case(
            [deployment(destination={"environment": "build"})],
            [deployment()],
            "DeploymentRuntime/live",
            "no deployment worker",
        ),
        Case(
            [environment("host", "host"), deployment(destination={"environment": "host"})],
            [environment("host", "host")],
            "DeploymentRuntime/live",
            "no deployment worker",
            clusters=[cluster("host", "", usage="host")],
        ),
    ],
    "pipeline-cluster": [
        Case(
            [pipeline(destination={"environment": "test"})],
            [pipeline()],
            "ProjectPipelineRuntime/build",
            "no pipeline worker",
        )
    ],
    "namespace-reserved": [
        Case([into("shop", "kube-system")], [into("shop", "my-kube-system")], "DeploymentRuntime/live", "kube-system"),
        Case([into("default")], [into("defaults")], "DeploymentRuntime/live", "namespace default"),
        Case([into("vault")], [into("nautes")], "DeploymentRuntime/live", "vault", clusters=[OPENED]),
        Case(
            [pipeline(destination={"environment": "build", "namespace": "tekton-pipelines"})],
            [into("tekton-pipelines")],  # no component of that cluster lives there
            "ProjectPipelineRuntime/build",
            "tekton-pipelines",
        ),
        Case(
            [deployment("vault")],
            [into("shop")],
            "DeploymentRuntime/vault",
            "vault",
            without=["DeploymentRuntime/live"],
        ),
    ],
    "deployment-duplicate": [
        Case(
            [deployment("more")],
            [deployment("more", manifestSource={"codeRepo": "deploy", "targetRevision": "dev", "path": "production"})],
            "DeploymentRuntime/more",
            "DeploymentRuntime/live",
        )
    ],
    "pipeline-duplicate": [
        Case(
            [pipeline("a", **SHARED), pipeline("b", **SHARED)],
            [pipeline("a", **SHARED), pipeline("b")],
            "ProjectPipelineRuntime/b",
            "ProjectPipelineRuntime/a",
        )
    ],
    "pipeline-names": [
        Case(
            [pipeline(eventSources=[events(), events()])],
            [pipeline(eventSources=[events(), events("tag")])],
            "ProjectPipelineRuntime/build",
            "event source 'push' stands 2 times",
        ),
        Case(
            [pipeline(pipelines=[MAIN, {**MAIN, "name": "other"}])],
            [pipeline(pipelines=[MAIN, {"name": "other", "path": "other.yaml"}])],
            "ProjectPipelineRuntime/build",
            "pipeline path 'build.yaml'",
        ),
        Case(
            [pipeline(pipelineTriggers=[TRIGGER, TRIGGER])],
            [pipeline(pipelineTriggers=[TRIGGER, {**TRIGGER, "revision": "dev"}])],
            "ProjectPipelineRuntime/build",
            "trigger",
        ),
    ],
    "pipeline-triggers": [
        Case(
            [pipeline(pipelineTriggers=[{**TRIGGER, "eventSource": "none"}])],
            [pipeline()],
            "ProjectPipelineRuntime/build",
            "no event source 'none'",
        ),
        Case(
            [pipeline(pipelineTriggers=[TRIGGER, {**TRIGGER, "pipeline": "none"}])],
            [pipeline()],
            "ProjectPipelineRuntime/build",
            "no pipeline 'none'",
        ),
    ],
    "pipeline-events": [
        Case(
            [pipeline(eventSources=[{"name": "push", "calendar": {"schedule": "0 1 * * *"}}])],
            [pipeline(eventSources=[{"name": "push"}])],
            "ProjectPipelineRuntime/build",
            "calendar",
        ),
        Case(
            [pipeline(eventSources=[events(events=["issues_events"])])],
            [pipeline(eventSources=[events(events=["tag_push_events"])])],
            "ProjectPipelineRuntime/build",
            "issues_events",
        ),
        Case(
            [pipeline(eventSources=[events(revision="release[")])],
            [pipeline(eventSources=[events(revision="release[-/]%d+$")])],
            "ProjectPipelineRuntime/build",
            "release[",
        ),
    ],
    "pipeline-unsupported": [
        Case(
            [pipeline(hooks={"preHooks": [{"name": "notify"}]})],
            [pipeline(hooks={"preHooks": []})],
            "ProjectPipelineRuntime/build",
            "hooks",
        ),
        Case(
            [pipeline(additionalResources={"git": {"codeRepo": "deploy"}})],
            [pipeline(additionalResources={})],
            "ProjectPipelineRuntime/build",
            "additionalResources",
        ),
        Case(
            [pipeline(pipelineTriggers=[{**TRIGGER, "inputs": [{"a": 1}]}])],
            [pipeline(pipelineTriggers=[{**TRIGGER, "inputs": []}])],
            "ProjectPipelineRuntime/build",
            "inputs",
        ),
    ],
    "repository-right": [
        Case(
            [deployment(projectsRef=["web", "app"])],
            [deployment(projectsRef=["web", "app"]), binding(projects=["app"])],
            "DeploymentRuntime/live",
            "project app has no right on repository deploy",
        ),
        Case(
            [deployment(projectsRef=["app"]), binding(projects=["web"])],
            [deployment(projectsRef=["app"]), binding()],  # no projects: open to all of the product
            "DeploymentRuntime/live",
            "project app",
        ),
        Case(
            [pipeline(project="app")],
            [pipeline(project="app"), binding(), binding("two", "pipelines", ["app"])],
            "ProjectPipelineRuntime/build",
            "repository pipelines",
        ),
    ],
}
