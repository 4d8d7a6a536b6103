"""One failing and one passing case (mostly a near miss) for every rule about products, by the rule's id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.unit.rules import cases_of_pipelines
from tests.unit.rules.cases_of_pipelines import extra
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
BUILD, LIVE, OPEN = "ProjectPipelineRuntime/build", "DeploymentRuntime/live", "CodeRepoBinding/open"


def product(path: str) -> object:
    return resource("Product", "group/shop", git={"gitlab": {"path": path}})


def hooked(*events: str) -> object:
    return repository(webhook={"events": list(events)})


def into(*namespaces: str) -> object:
    return deployment(destination={"environment": "test", "namespaces": list(namespaces)})


def sourced(path: str) -> Any:
    return deployment(manifestSource={"codeRepo": "deploy", "targetRevision": "main", "path": path})


def foreign(repository: str, projects: Sequence[str]) -> Any:
    """The deployment runtime with manifests of another product."""
    source = {"codeRepo": repository, "targetRevision": "main", "path": "production"}
    return deployment(manifestSource=source, projectsRef=list(projects))


def called(path: str, **gitlab: Any) -> Any:
    """A repository with these settings in GitLab."""
    return repository(path, git={"gitlab": {"path": path, **gitlab}})


def grouped(of: str = "group/shop", **gitlab: Any) -> object:
    return resource("Product", of, git={"gitlab": gitlab})


CASES: dict[str, list[Case]] = {
    **cases_of_pipelines.CASES,
    "gitlab-path": [
        *(
            Case([called(wrong)], [called("a-b.c_d")], f"CodeRepo/{wrong}", says)
            for wrong, says in (
                ("a--b", "single"),
                ("_a", "must consist"),
                ("a-", "must consist"),
                ("refs", "is reserved"),
                ("new", "is reserved"),
            )
        ),
        *(
            Case([grouped(wrong)], [grouped("gr/shop")], f"Product/{wrong}", says)
            for wrong, says in (("x", "1 characters"), ("v2x/tree", "is reserved"), ("s", "is reserved"))
        ),
    ],
    "gitlab-name": [
        *(
            Case([called("deploy", name=wrong)], [called("deploy", name="Täst – 1.0 + 🚀_x")], "CodeRepo/deploy", says)
            for wrong, says in (
                ("<x>", "begin"),
                ("a & b", "'&'"),
                ("a/b", "'/'"),
                ("it's", "may not"),
                ("x" * 256, "256"),
            )
        ),
        Case([grouped(name="a+b")], [grouped(name="Shop (old)")], "Product/group/shop", "'+'"),
    ],
    "gitlab-name-taken": [
        Case(
            [called("deploy", name="Same Name"), called("late", name="Same Name")],
            [called("deploy", name="Same Name"), called("late", name="same name")],
            "CodeRepo/late",
            "CodeRepo/deploy already",
        )
    ],
    "gitlab-description": [
        Case(
            [called("deploy", description="x" * 256)],
            [called("deploy", description="x" * 255)],
            "CodeRepo/deploy",
            "256",
        ),
        Case([grouped(description="x" * 600)], [grouped(description="x")], "Product/group/shop", "600"),
    ],
    "reference-unknown": [
        Case(
            [deployment(destination={"environment": "moon"})],
            [deployment()],
            "DeploymentRuntime/live",
            "Environment/moon does not",
        ),
        Case(
            [pipeline(additionalResources={"git": {"codeRepo": "none"}})],
            [pipeline(additionalResources={"git": {"url": "https://git.example.com/a/b.git"}})],
            "ProjectPipelineRuntime/build",
            "CodeRepo/none",
        ),
        Case(
            [binding(projects=["none"])], [binding(product="toys", productName="shop", projects=["none"])], OPEN, "none"
        ),
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
    "product-mismatch": [
        Case(
            [environment("new", "other").model_copy(update={"product": "toys"})],
            [environment("new", "other")],
            "Environment/new",
            "names the product toys",
        )
    ],
    "in-use": [
        Case([], [], "Environment/test", "used by DeploymentRuntime/live", without=["Environment/test"]),
        Case([], [], "CodeRepo/pipelines", "used by ProjectPipelineRuntime/build", without=["CodeRepo/pipelines"]),
        Case([], [], "Project/web", "used by CodeRepo/deploy, CodeRepo/pipelines, Deploy", without=["Project/web"]),
        Case(
            [],
            [deployment(projectsRef=["web"])],
            "CodeRepoBinding/open",
            "used by DeploymentRuntime/live",
            before=[deployment(projectsRef=["app"]), binding()],
            without=["CodeRepoBinding/open"],
        ),
        Case(
            [],
            [binding("more", "toys/lib")],
            "CodeRepoBinding/open",
            "used by ProjectPipelineRuntime/build",
            before=[pipeline(pipelineSource="toys/lib"), binding("open", "toys/lib")],
            without=["CodeRepoBinding/open"],
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
        Case(
            [resource("Project", name)], [resource("Project", f"my-{name}")], f"Project/{name}", "folder of the layout"
        )
        for name in ("production", "envs", "projects", "runtimes", "code-repos", "artifact-repos")
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
    "pipeline-namespace": [
        Case(
            [pipeline("again", pipelineSource="deploy", **SHARED), pipeline(**SHARED)],
            [pipeline("again", pipelineSource="deploy", **SHARED)],
            BUILD,
            "ci is already that of ProjectPipelineRuntime/again",
        ),
        Case(
            [deployment("a", destination={"environment": "build", "namespaces": ["build"]})],
            [deployment("a", destination={"environment": "build", "namespaces": ["live"]})],
            "DeploymentRuntime/a",
            "ProjectPipelineRuntime/build",
        ),
    ],
    "source-path": [
        Case([sourced("../other")], [sourced("a/..b")], "DeploymentRuntime/live", "'../other' leads out"),
        Case([sourced("/etc")], [sourced("./")], "DeploymentRuntime/live", "'/etc'"),
        Case([extra(codeRepo="deploy", path="a/../..")], [extra(codeRepo="deploy", path="a/")], BUILD, "leads out"),
        Case(
            [pipeline(pipelines=[{"name": "main", "path": "../build.yaml"}])],
            [pipeline(pipelines=[{"name": "main", "path": "ci/build.yaml"}])],
            BUILD,
            "'../build.yaml'",
        ),
    ],
    "deployment-projects": [
        Case([deployment(projectsRef=[])], [deployment(projectsRef=[]), binding()], LIVE, "names none in projectsRef"),
        Case(
            [deployment(projectsRef=[]), binding(projects=["web"])],
            [deployment(projectsRef=[]), repository(project="")],
            LIVE,
            "repository deploy belongs to a project",
        ),
    ],
    "foreign-own": [
        Case([pipeline(pipelineSource="shop/pipelines")], [pipeline()], BUILD, "write pipelines"),
        Case([binding(coderepo="shop/deploy")], [binding()], OPEN, "write deploy"),
    ],
    "foreign-consumer": [
        Case(
            [binding(coderepo="toys/lib", productName="shop", product="third")],
            [binding(coderepo="toys/lib", productName="shop", product="shop")],
            OPEN,
            "not this product's to open to third",
        )
    ],
    "consumer-unknown": [
        Case(
            [binding(productName="shop", product="nobody")],
            [binding(productName="shop", product="third")],
            OPEN,
            "no product nobody",
        )
    ],
    "foreign-unagreed": [
        Case(
            [pipeline(pipelineSource="toys/lib")],
            [pipeline(pipelineSource="toys/lib"), binding(coderepo="toys/lib")],
            BUILD,
            "no binding opens toys/lib to project web",
        ),
        Case(
            [extra(codeRepo="toys/lib"), binding(coderepo="toys/lib", projects=["app"])],
            [extra(codeRepo="toys/lib"), binding(coderepo="toys/lib", projects=["web"])],
            BUILD,
            "no binding opens toys/lib to project web",
        ),
        Case(
            [foreign("toys/lib", [])],
            [foreign("toys/lib", []), binding(coderepo="toys/lib")],
            LIVE,
            "to the product as a whole",
        ),
    ],
    "foreign-unknown": [
        Case(
            [binding(coderepo=name)], [binding(coderepo="toys/lib")], OPEN, f"no repository {name} that is open to shop"
        )
        for name in ("toys/none", "toys/closed", "toys/stray", "nowhere/lib", "group/toys/lib")
    ]
    + [
        Case(
            [binding(coderepo="toys/lib", permissions="readwrite")],
            [binding(coderepo="group/toys/deep", permissions="readwrite")],
            OPEN,
            "no repository toys/lib that is open to shop in this way",
        ),
        Case(
            [binding(coderepo="toys/web-only", projects=["app"])],
            [binding(coderepo="toys/web-only", projects=["app", "web"])],
            OPEN,
            "no repository toys/web-only that",
        ),
        Case(
            [foreign("toys/web-only", ["app"]), binding(coderepo="toys/web-only")],
            [foreign("toys/web-only", ["web"]), binding(coderepo="toys/web-only")],
            LIVE,
            "no repository toys/web-only that",
        ),
        Case(
            [foreign("toys/web-only", []), binding(coderepo="toys/web-only")],
            [foreign("group/toys/deep", []), binding(coderepo="group/toys/deep")],
            LIVE,
            "no repository toys/web-only that",
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
        Case(
            [pipeline(additionalResources={"git": {"codeRepo": "tools"}})],
            [pipeline(additionalResources={"git": {"codeRepo": "tools"}}), binding("two", "tools")],
            BUILD,
            "project web has no right on repository tools",
            before=[repository("tools", "app")],
        ),
        Case(
            [deployment(projectsRef=["app"]), binding(productName="shop", product="third")],
            [deployment(projectsRef=["app"]), binding()],
            LIVE,
            "project app",  # what is opened to another product is not opened to one's own projects
        ),
    ],
}
