"""What a list of thousands costs: calls to GitLab and time for a product with 2,000 environments, first and second time.

`python bench/lists.py`: the whole platform, embedded (the stand-in of Kubernetes is enough: nothing is deployed). 2,000
environments, 500 projects and 500 deployment runtimes are pushed straight to `default.project`, before the API has read it.
The last line is JSON.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from bench.prepared import apply, platform, script
from nautes.resources.names import Names
from nautes.resources.product import Environment, Project
from nautes.resources.runtime import DeploymentDestination, DeploymentRuntime, ManifestSource
from nautes.resources.stored import store
from nautes_sandbox.actions import quoted
from nautes_sandbox.scenario import Scenario

ENVIRONMENTS, PROJECTS, RUNTIMES = 2_000, 500, 500
PAGE = 100
PRODUCT = "many"
COUNTED = ("GitLab reads", "GitLab writes", "Git reads")


@contextmanager
def prepared() -> Iterator[Scenario]:
    """An empty product; the sweeps and the worker are quiet, so that every call that is counted is the API's."""
    with platform(Scenario) as actions:
        apply(
            actions,
            "team",
            [{"kind": "Product", "spec": {"name": PRODUCT, "git": {"gitlab": {"visibility": "private"}}}}],
        )
        yield actions


def declare(actions: Scenario) -> int:
    """Push everything as one commit; how many files that are."""
    names = Names(
        products={PRODUCT: int(actions.gitlab(f"/groups/{PRODUCT}")["id"])},
        repositories={"deploy": 1},
    )
    tree = actions.clone(f"{PRODUCT}/default.project")
    actions.world.supervisor.stop("worker")  # it would look at the push, and its calls would be counted
    resources = [
        *(
            Environment(name=f"env-{number:04}", product=PRODUCT, cluster=f"c{number % 7}", env_type="test")
            for number in range(ENVIRONMENTS)
        ),
        *(Project(name=f"project-{number:03}", product=PRODUCT, language="go") for number in range(PROJECTS)),
        *(_runtime(number) for number in range(RUNTIMES)),
    ]
    for path, text in (store(each, names) for each in resources):
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    actions.push(tree, "Declare thousands")
    return len(resources)


def _runtime(number: int) -> DeploymentRuntime:
    return DeploymentRuntime(
        name=f"runtime-{number:03}",
        product=PRODUCT,
        manifest_source=ManifestSource(code_repo="repo-1", target_revision="main", path="x"),
        destination=DeploymentDestination(environment=f"env-{number:04}"),
    )


def counted(actions: Scenario, ask: Callable[[], int]) -> dict[str, Any]:
    """Calls to GitLab and milliseconds of one question; how many items came."""
    before = actions.world.calls()
    began = time.perf_counter()
    items = ask()
    took = time.perf_counter() - began
    after = actions.world.calls()
    return {"items": items, "ms": round(took * 1000, 1), **{each: after[each] - before[each] for each in COUNTED}}


def everything(actions: Scenario) -> int:
    """All of it in one answer."""
    return len(_list(actions)["items"])


def first_page(actions: Scenario) -> int:
    """A hundred."""
    return len(_list(actions, limit=PAGE)["items"])


def all_pages(actions: Scenario) -> int:
    """All of it, a hundred at a time."""
    total, cursor = 0, None
    while True:
        found = _list(actions, limit=PAGE, **({"cursor": cursor} if cursor else {}))
        total, cursor = total + len(found["items"]), found["next"]
        if not cursor:
            return total


def filtered(actions: Scenario) -> int:
    """Those of one cluster."""
    return len(_list(actions, field_selector="cluster=c3")["items"])


def _list(actions: Scenario, **query: Any) -> dict[str, Any]:
    answer = actions.api("GET", f"/api/v1/products/{quoted(PRODUCT)}/environments", "team", params=query)
    answer.raise_for_status()
    return dict(answer.json())


def main() -> int:
    """Print a table and, last, one line of JSON."""
    argparse.ArgumentParser(description=__doc__).parse_args()

    def measure() -> tuple[dict[str, Any], bool]:
        found: dict[str, Any] = {}
        questions = {"all": everything, "page": first_page, "pages": all_pages, "filtered": filtered}
        with prepared() as actions:
            files = declare(actions)
            for what, ask in questions.items():
                found[what] = [counted(actions, lambda ask=ask: ask(actions)) for _ in range(2)]  # type: ignore[misc]
        print(f"GET environments of a declaration of {files} files; calls to GitLab, and ms for all of the answers")
        print("                      items        ms   API calls   git calls")
        for what, (first, second) in found.items():
            for turn, each in (("first", first), ("second", second)):
                calls = each["GitLab reads"] + each["GitLab writes"]
                print(f"  {what:9} {turn:7} {each['items']:7} {each['ms']:9.1f} {calls:11} {each['Git reads']:11}")
        return {"bench": "lists", "files": files, "answers": found}, True

    return script(measure)


if __name__ == "__main__":
    sys.exit(main())
