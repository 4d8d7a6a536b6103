"""What the scenarios share: products of their own, changes and what they came to, and what GitLab and Vault hold."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import httpx2

from nautes_sandbox.actions import quoted
from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import document, joined, product, together
from tests.waiting import until

_numbers = itertools.count(1)


def unique(word: str) -> str:
    """A name no other scenario uses."""
    return f"{word}{next(_numbers)}"


def change(story: Scenario, who: str, *documents: str, action: str = "apply", **query: Any) -> httpx2.Response:
    """Apply or remove documents, waiting for the end."""
    return story.api("POST", f"/api/v1/{action}", who, content=together(*documents), params={"wait": 60, **query})


def done(answer: httpx2.Response) -> dict[str, str]:
    """Action per resource of a change that must have ended well."""
    assert answer.status_code == 200, answer.text
    return {each["resource"]: each["action"] for one in answer.json()["operations"] for each in one["outcomes"]}


def made(story: Scenario, word: str, *documents: str, who: str = "team", **spec: Any) -> str:
    """A new product of `who` with these documents ("$product" stands for its name)."""
    name = unique(word)
    texts = [each.replace("$product", name) for each in documents]
    done(change(story, who, product(name, **spec), *texts))
    return name


def project(name: str = "web", of: str = "$product") -> str:
    return document("Project", name=name, product=of, language="python")


def repository(name: str, in_project: str = "", of: str = "$product", **gitlab: Any) -> str:
    settings = {"path": name, "visibility": "private", **gitlab}
    spec = {"project": in_project} if in_project else {}
    return document("CodeRepo", name=name, product=of, git={"gitlab": settings}, **spec)


def environment(name: str, cluster: str, of: str = "$product", **spec: Any) -> str:
    return document("Environment", name=name, product=of, cluster=cluster, envType="test", **spec)


def binding(name: str, coderepo: str, permissions: str = "readonly", of: str = "$product", **spec: Any) -> str:
    return document("CodeRepoBinding", name=name, productName=of, coderepo=coderepo, permissions=permissions, **spec)


def deployment(name: str, coderepo: str, namespace: str, of: str = "$product", env: str = "test", **spec: Any) -> str:
    source = {"codeRepo": coderepo, "targetRevision": "main", "path": "production"}
    place = {"environment": env, "namespaces": [namespace]}
    return document("DeploymentRuntime", name=name, product=of, manifestSource=source, destination=place, **spec)


def keys(story: Scenario, full: str) -> dict[str, bool]:
    """Deploy keys of a repository: title -> may push."""
    listed = story.gitlab(f"/projects/{quoted(full)}/deploy_keys?per_page=100")
    return {each["title"]: each["can_push"] for each in listed}


def number(story: Scenario, full: str) -> int:
    """GitLab's id of a project."""
    return int(story.gitlab(f"/projects/{quoted(full)}")["id"])


def findings(answer: httpx2.Response) -> set[str]:
    """Rules that a refused change broke."""
    assert answer.status_code == 422, answer.text
    return {each["rule"] for each in answer.json()["findings"]}


def listed(story: Scenario, of: str, plural: str, who: str = "team") -> set[str]:
    """Names of one kind."""
    answer = story.api("GET", f"/api/v1/products/{quoted(of)}/{plural}", who)
    assert answer.status_code == 200, answer.text
    return {each["name"] for each in answer.json()["items"]}


def status(story: Scenario, of: str, who: str = "team") -> dict[str, Any]:
    """The product's status."""
    answer = story.api("GET", f"/api/v1/products/{quoted(of)}/status", who)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["product"])


def pushed(story: Scenario, of: str, files: dict[str, str | None], message: str = "by hand") -> str:
    """Commit files to a product's declaration by plain Git (None: remove it); returns the commit."""
    tree = story.clone(f"{of}/default.project")
    for path, text in files.items():
        target = Path(tree) / path
        if text is None:
            target.unlink()
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    return story.push(tree, message)


def taken(story: Scenario, of: str, commit: str) -> dict[str, Any]:
    """The product's status once it has looked at a commit."""

    def seen() -> dict[str, Any] | None:
        found = status(story, of)
        return found if found["commit"] == commit and found["phase"] == "Idle" else None

    return until(seen, f"{of} has looked at {commit[:12]}")


def comments(story: Scenario, full: str, commit: str) -> list[str]:
    """The comments on a commit."""
    found = story.gitlab(f"/projects/{quoted(full)}/repository/commits/{commit}/comments")
    return [str(each["note"]) for each in found]


__all__ = ["document", "joined", "product", "together"]
