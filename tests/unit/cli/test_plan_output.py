"""What `plan`, `diff` and a dry run print and end with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.cli.fake import (
    FakeApi,
    Nautes,
    Reply,
    finding,
    operation,
    operations,
    problem,
)

PROJECT = "kind: Project\nspec: {name: %s, product: shop}\n"
FIELDS = [
    {"pointer": "/spec/language", "before": "go", "after": "rust"},
    {"pointer": "/spec/owner", "before": None, "after": {"name": "ann"}},
    {"pointer": "/spec/old", "before": 1, "after": None},
    {"pointer": "/spec/kubeconfig", "before": "apiVersion: v1", "after": "apiVersion: v2"},
]
PLANNED = operation(
    "done",
    "Project/web changed",
    "Project/new created",
    "Project/old removed",
    "Project/same unchanged",
    plan="4f2a9c01",
    deletions=1,
    effects=[
        {"system": "git", "action": "change", "target": "Project/web", "detail": "", "fields": FIELDS},
        {"system": "git", "action": "create", "target": "Project/new", "detail": "", "fields": []},
        {"system": "vault", "action": "delete", "target": "key of old", "detail": "read-only", "fields": []},
    ],
    warnings=[finding("warnings", "language is not used by anything")],
)
SHOWN = """\
~ Project/web
    ~ /spec/language: "go" -> "rust"
    + /spec/owner: {"name": "ann"}
    - /spec/old: 1
    ~ /spec/kubeconfig: (secret) -> (secret)
+ Project/new
- Project/old
git:
  ~ Project/web
  + Project/new
vault:
  - key of old  (read-only)
"""
COUNTED = (
    "Plan: resources: 1 to create, 1 to change, 1 to delete; "
    "in the systems: 0 to create, 0 to change, 0 to replace, 1 to delete.\n"
)


@pytest.fixture(autouse=True)
def manifest() -> None:
    """`web.yaml` declares a project."""
    Path("web.yaml").write_text(PROJECT % "web")


def test_a_dry_run_shows_the_plan(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/apply", operations(PLANNED))
    ended = nautes("apply", "-f", "web.yaml", "--dry-run")
    assert (ended.code, ended.out) == (0, SHOWN + COUNTED)
    assert api.last("POST").query["dry_run"] == ["true"]


def test_a_plan_tells_resources_systems_its_id_and_the_command_for_it(nautes: Nautes, api: FakeApi) -> None:
    Path("my shop.yaml").write_text(PROJECT % "web")
    api.on("POST", "/api/v1/plan", operations(PLANNED))
    ended = nautes("plan", "-f", "my shop.yaml", "-i")
    how = "to execute exactly this plan: nautes apply -f 'my shop.yaml' -i --plan 4f2a9c01\n"
    assert (ended.code, ended.out) == (0, SHOWN + COUNTED + how)
    assert ended.err == "note: language is not used by anything\n"
    assert api.last("POST").query == {"action": ["apply"], "insecure_skip_check": ["true"]}


def test_a_plan_of_a_removal(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/plan", operations(operation("done", "Project/web removed", plan="9")))
    ended = nautes("plan", "-f", "web.yaml", "--remove")
    assert "to execute exactly this plan: nautes remove -f web.yaml --plan 9\n" in ended.out
    assert api.last("POST").query == {"action": ["remove"]}


MOVED = operation(
    "done",
    "DeploymentRuntime/web changed",
    plan="4f2a9c01",
    deletions=3,
    confirm="3 objects of DeploymentRuntime/web in a protected environment are replaced",
    effects=[
        {"system": "git", "action": "change", "target": "DeploymentRuntime/web", "detail": "", "fields": []},
        {"system": "kubernetes", "action": "delete", "target": "Namespace a in deploy", "detail": "", "fields": []},
        {
            "system": "kubernetes",
            "action": "replace",
            "target": "3 objects of deployment web in deploy",
            "detail": "volume claims a/data",
            "fields": [],
        },
        {"system": "kubernetes", "action": "keep", "target": "2 objects of deployment web in deploy", "detail": ""},
    ],
)


def test_objects_that_are_replaced_or_stay_are_told_and_what_has_to_be_confirmed(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/apply", operations(MOVED))
    assert nautes("apply", "-f", "web.yaml", "--dry-run").out == (
        "~ DeploymentRuntime/web\n"
        "git:\n"
        "  ~ DeploymentRuntime/web\n"
        "kubernetes:\n"
        "  - Namespace a in deploy\n"
        "  -/+ 3 objects of deployment web in deploy  (volume claims a/data)\n"
        "  = 2 objects of deployment web in deploy\n"
        "Plan: resources: 0 to create, 1 to change, 0 to delete; "
        "in the systems: 0 to create, 0 to change, 3 to replace, 1 to delete.\n"
        "3 deletions to confirm: --confirm-deletions 3 "
        "(3 objects of DeploymentRuntime/web in a protected environment are replaced)\n"
    )


def test_what_only_stays_is_no_difference(nautes: Nautes, api: FakeApi) -> None:
    kept = {"system": "kubernetes", "action": "keep", "target": "2 objects of deployment web in deploy", "detail": ""}
    api.on("POST", "/api/v1/plan", operations(operation("done", "Project/web unchanged", effects=[kept])))
    assert nautes("plan", "-f", "web.yaml", "--detailed-exitcode").code == 0


NOTHING = operation("done", "Project/web unchanged", plan="1")
REFUSED = problem(422, "x", "no", [finding("x", "no")])


@pytest.mark.parametrize(
    ("answer", "plain", "detailed", "diff"),
    [(operations(NOTHING), 0, 0, 0), (operations(PLANNED), 0, 2, 1), (REFUSED, 1, 1, 2)],
    ids=["nothing to do", "something to do", "refused"],
)
def test_exit_codes_tell_whether_there_is_a_difference(
    answer: Reply, plain: int, detailed: int, diff: int, nautes: Nautes, api: FakeApi
) -> None:
    api.on("POST", "/api/v1/plan", answer)
    assert nautes("plan", "-f", "web.yaml").code == plain
    assert nautes("plan", "-f", "web.yaml", "--detailed-exitcode").code == detailed
    assert nautes("diff", "-f", "web.yaml").code == diff


def test_nothing_to_do_is_said(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/plan", operations(NOTHING))
    assert nautes("plan", "-f", "web.yaml").out == (
        "Plan: resources: 0 to create, 0 to change, 0 to delete; "
        "in the systems: 0 to create, 0 to change, 0 to replace, 0 to delete.\n"
    )
    assert nautes("diff", "-f", "web.yaml").out == ""


def test_a_difference_is_shown_field_by_field(nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/plan", operations(PLANNED))
    assert nautes("diff", "-f", "web.yaml").out == (
        "~ Project/web\n"
        '    - /spec/language: "go"\n    + /spec/language: "rust"\n'
        '    + /spec/owner: {"name": "ann"}\n'
        "    - /spec/old: 1\n"
        "    - /spec/kubeconfig: (secret)\n    + /spec/kubeconfig: (secret)\n"
        "+ Project/new\n"
        "- Project/old\n"
    )


@pytest.mark.parametrize("command", ["plan", "diff"])
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_plans_for_programs_are_pure(command: str, form: str, nautes: Nautes, api: FakeApi) -> None:
    api.on("POST", "/api/v1/plan", operations(NOTHING))
    ended = nautes(command, "-f", "web.yaml", "-o", form)
    read: Any = json.loads(ended.out) if form == "json" else yaml.safe_load(ended.out)
    assert read["operations"] == [NOTHING]
    assert ended.err == ""
