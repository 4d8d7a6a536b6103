"""What a plan prints is what is done: compared, change by change, with what the systems' own logs say.

Each of the changes is planned, carried out and left to settle. Then the writes in the logs since the plan, in the plan's words
(logs.py), must be the plan's effects, one for one. Two branches of a repository hold the same objects, and manifests are pushed
before a change is planned: what a push deploys belongs to the deployment and is not the plan's to say.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from nautes_sandbox.actions import quoted
from nautes_sandbox.scenario import Scenario, StepFailedError
from tests.integration.api.support import document, operation, together
from tests.integration.plans.changes import Change, Generator
from tests.integration.plans.logs import Line, Logs
from tests.waiting import until

SEED = 88  # one by which every kind of change is seen
CHANGES = 32
OBJECTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: $name-settings}
data: {greeting: hello}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: $name-page}
data: {page: one}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: $name-data}
spec:
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
"""


@pytest.mark.timeout(400)  # forty changes with all their runtimes
def test_what_a_plan_prints_is_what_the_logs_say_was_done(story: Scenario, logs: Logs) -> None:
    generator = Generator(SEED, ("north", "south"), {"test": story.deploy_cluster, "build": story.pipeline_cluster})
    changes = [*generator.first(), *(generator.next() for _ in range(CHANGES))]
    assert not generator.untaken, "the seed leaves a kind of change out"
    wrong = [text for each in [*changes, *generator.end()] if (text := _difference(story, logs, each))]
    assert not wrong, "\n".join(wrong)


def _difference(story: Scenario, logs: Logs, change: Change) -> str:
    """What the plan and the logs disagree about, "" for nothing."""
    for repository, runtime in change.manifests:
        _manifests(story, f"{change.product}/{repository}", runtime)
    text = together(*(document(kind, **spec) for kind, spec in change.documents))
    logs.begin()
    planned = operation(_asked(story, "plan", text, action=change.action))
    expected = Counter(Line(each["system"], each["action"], each["target"]) for each in planned["effects"])
    confirmed = {"confirm_deletions": planned["deletions"]} if planned["confirm"] else {}
    _asked(story, change.action, text, wait=60, plan=planned["plan"], **confirmed)
    story.until(lambda: _settled(story, change.product), f"{change.product} settles after {change.what}")
    equal = _comes_to(logs, expected)
    done = logs.since()
    print(f"{change.what:36} planned {expected.total():3}  done {done.total():3}  {'equal' if equal else 'DIFFERENT'}")
    if equal:
        return ""
    text = f"{change.what}: only planned {_shown(expected - done)}; only done {_shown(done - expected)}"
    print(text)
    return text


def _asked(story: Scenario, how: str, text: str, **query: Any) -> Any:
    answer = story.api("POST", f"/api/v1/{how}", "team", content=text, params=query)
    assert answer.status_code == 200, answer.text
    return answer


def _manifests(story: Scenario, repository: str, runtime: str) -> None:
    """Put objects for a runtime into a repository, on two branches."""
    tree = story.clone(repository)
    (tree / runtime).mkdir()
    (tree / runtime / "objects.yaml").write_text(OBJECTS.replace("$name", runtime))
    story.push(tree, f"objects of {runtime}")
    story.git(tree, "push", "-q", "origin", "HEAD:refs/heads/other")


def _settled(story: Scenario, product: str) -> bool:
    """Whether the product does nothing any more, and every runtime is as it is to be; or the product is gone.

    Raises StepFailedError with what is not so yet.
    """
    answer = story.api("GET", f"/api/v1/products/{quoted(product)}/status", "team")
    if answer.status_code == 404:
        return True
    found = answer.json()
    runtimes = [*found["deployments"], *found["pipelines"]]
    waiting = [each for each in runtimes if each["phase"] not in ("Converged", "Ready")]
    if waiting or found["product"]["phase"] != "Idle":
        raise StepFailedError(f"product {found['product']['phase']}, not ready: {waiting}")
    return True


def _comes_to(logs: Logs, expected: Counter[Line]) -> bool:
    """Whether the logs hold what was expected within a while, and nothing else."""
    try:
        until(lambda: logs.since() == expected, "the logs hold what was planned", within=6)
    except AssertionError:
        return False
    return True


def _shown(lines: Counter[Line]) -> str:
    return ", ".join(str(each) for each in sorted(lines.elements())) or "nothing"
