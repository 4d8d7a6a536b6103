"""What people see: the tree without what is well, plain lines in a pipe, and no text of others that steers a terminal."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
import yaml
from rich.console import Console

from nautes.cli import show, tables, tree

RETRY = {"step": "git.fetch", "attempt": 4, "error": "cannot be reached", "next_try": "2026-01-01T00:00:00Z"}


def _deployment(name: str, phase: str, **more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {
        "commit": "9be2d1f0" * 5,
        "applied": 1,
        "unchanged": 2,
        "writes": 1,
        "seconds": {"total": 0.42},
    }
    empty |= {"message": "", "outcomes": [], "unhealthy": [], "unnamed": 0, "retry": None}
    return {"runtime": name, "phase": phase, **empty, **more}


def _tree(*deployments: dict[str, Any], **product: Any) -> dict[str, Any]:
    runtimes = [{"name": each["runtime"], "environment": "test"} for each in deployments]
    runtimes.append({"name": "build", "environment": "ci"})
    shop: dict[str, Any] = {"path": "shop", "phase": "Idle", "commit": "3f1c09a4" * 5, "findings": []}
    shop |= {"environments": {"test": "deploy", "ci": "pipeline"}, "runtimes": runtimes, **product}
    pipeline = {"runtime": "build", "phase": "Ready", "runs": ["run/shop/build/x"], "message": "", "retry": None}
    return {"product": shop, "deployments": list(deployments), "pipelines": [pipeline]}


def _shown(answer: dict[str, Any], capsys: pytest.CaptureFixture[str], *, everything: bool = False) -> str:
    tree.product_tree(answer, everything=everything)
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


def test_the_tree_shows_only_what_is_not_as_declared(capsys: pytest.CaptureFixture[str]) -> None:
    unhealthy = [{"kind": "Deployment", "name": "web", "status": "InProgress", "reason": "0 of 1 ready"}]
    shown = _shown(_tree(_deployment("good", "Converged"), _deployment("bad", "Waiting", unhealthy=unhealthy)), capsys)
    assert "deployment bad  Waiting" in shown
    assert "Deployment/web InProgress: 0 of 1 ready" in shown
    assert "good" not in shown
    assert "build" not in shown


def test_the_tree_shows_everything_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _shown(_tree(_deployment("good", "Converged")), capsys, everything=True)
    assert "test (deploy)" in shown
    assert "deployment good  Converged  9be2d1f09be2  1 applied, 2 unchanged, 1 writes, 0.42 s" in shown
    assert "pipeline build  Ready  1 runs" in shown


def test_a_tree_with_nothing_wrong_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _shown(_tree(_deployment("good", "Converged")), capsys)
    assert shown.splitlines() == ["shop  Idle  3f1c09a43f1c", "└── all is as declared"]


def test_refused_objects_findings_and_retries_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    refused = [{"kind": "ConfigMap", "name": "x", "action": "refused", "reason": "namespace kube-system"}]
    refused.append({"kind": "ConfigMap", "name": "y", "action": "applied", "reason": ""})
    bad = _deployment("bad", "Degraded", outcomes=refused, message="1 refused", retry=RETRY)
    shown = _shown(_tree(bad, findings=[{"message": "Project/x cannot be read"}]), capsys)
    assert "ConfigMap/x refused: namespace kube-system" in shown
    assert "ConfigMap/y" not in shown
    assert "Project/x cannot be read" in shown
    assert "git.fetch attempt 4: cannot be reached; next try 2026-01-01T00:00:00Z" in shown


def test_texts_of_others_are_shown_as_they_are_and_steer_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "[/red] [link=http://x]y[/link] :key: \x1b[31mred\x1b]0;title\x07"
    refused = [{"kind": nasty, "name": nasty, "action": "refused", "reason": nasty}]
    tree = _tree(_deployment("bad", "Degraded", outcomes=refused, message=nasty), findings=[{"message": nasty}])
    shown = _shown(tree, capsys)
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert shown.count("[/red] [link=http://x]y[/link] :key: ?[31mred?]0;title?") == 5
    show.line(nasty)
    show.findings([{"resource": nasty, "line": 1, "column": 2, "message": nasty, "rule": "x", "hint": nasty}])
    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_data_is_pure_and_reads_back(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    value = {"items": [{"name": "[red]x[/red]", "number": 1, "nothing": None, "text": "true", "umlaut": "ä\x1b"}]}
    show.data(value, form)
    printed = capsys.readouterr()
    assert (json.loads(printed.out) if form == "json" else yaml.safe_load(printed.out)) == value
    assert "\x1b" not in printed.out
    assert printed.err == ""


def test_a_table_has_a_header_and_one_line_per_item(capsys: pytest.CaptureFixture[str]) -> None:
    items = [{"name": "web", "product": "shop", "language": "go"}, {"name": "[red]x[/red]", "product": "shop"}]
    tables.table("projects", items)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["NAME", "PRODUCT", "LANGUAGE"],
        ["web", "shop", "go"],
        ["[red]x[/red]", "shop"],
    ]
    tables.table("projects", [])
    assert capsys.readouterr().out == "nothing found\n"


def test_long_lists_are_cut_with_dots_and_a_value_stays_on_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    binding = {"name": "b", "product": "shop", "coderepo": "x", "permissions": "readonly"}
    tables.table("coderepobindings", [{**binding, "projects": list("abcdefg")}, {**binding, "projects": ["x\ny"]}])
    _, long, broken = capsys.readouterr().out.splitlines()
    assert (long.split()[-1], broken.split()[-2:]) == ("a,b,c,d,e...", ["x", "y"])


WIDE: dict[str, tuple[dict[str, Any], list[str]]] = {
    "clusters": (
        {
            "name": "deploy",
            "api_server": "https://c:6443",
            "usage": "worker",
            "cluster_type": "physical",
            "worker_type": "deployment",
            "primary_domain": "example.invalid",
            "components_list": {"deployment": {"name": "argocd"}, "gateway": None, "secret_sync": {"name": "eso"}},
        },
        ["deploy", "https://c:6443", "worker", "physical", "deployment", "example.invalid", "argocd,eso"],
    ),
    "products": (
        {"name": "g/shop", "git": {"gitlab": {"path": "shop", "visibility": "private", "description": "sells"}}},
        ["g/shop", "shop", "private", "sells"],
    ),
    "coderepos": (
        {
            "name": "web",
            "product": "shop",
            "project": "front",
            "git": {
                "gitlab": {
                    "path": "web",
                    "visibility": "public",
                    "ssh_url_to_repo": "git@g:shop/web.git",
                    "http_url_to_repo": "http://g/shop/web.git",
                }
            },
        },
        ["web", "shop", "front", "web", "public", "git@g:shop/web.git", "http://g/shop/web.git"],
    ),
    "projectpipelineruntimes": (
        {
            "name": "build",
            "account": "builder",
            "project": "front",
            "destination": {"environment": "ci", "namespace": "builds"},
            "pipeline_source": "pipelines",
            "event_sources": [{"name": "push", "gitlab": {"repo_name": "web"}}, {"name": "nightly", "calendar": {}}],
        },
        ["build", "builder", "front", "ci", "builds", "pipelines", "web", "push,nightly"],
    ),
    "deploymentruntimes": (
        {
            "name": "web",
            "account": "deployer",
            "product": "shop",
            "manifest_source": {"code_repo": "deploy", "target_revision": "main", "path": "prod"},
            "projects_ref": ["front", "back"],
            "destination": {"environment": "test", "namespaces": ["a", "b"]},
        },
        ["web", "deployer", "shop", "deploy", "main", "prod", "front,back", "test", "a,b"],
    ),
}


@pytest.mark.parametrize("kind", WIDE)
def test_the_wide_columns_are_those_of_the_original(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    item, cells = WIDE[kind]
    tables.table(kind, [item])
    header, line = capsys.readouterr().out.splitlines()
    assert line.split() == cells
    assert len(header.split()) == len(cells)


def test_outcomes_are_lines_and_what_was_wrong_before_goes_to_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcomes = [{"resource": "Project/web", "action": "created"}]
    done = {"operation": "change/shop/1", "state": "done", "outcomes": outcomes, "already": [{"message": "old"}]}
    done["warnings"] = [{"message": "cert-manager is old", "hint": "update it"}]
    waiting = {"operation": "change/shop/2", "state": "running", "outcomes": [], "already": []}
    show.outcomes([done, waiting])
    printed = capsys.readouterr()
    assert printed.out == "Project/web created\nstill running: change/shop/2\n"
    assert printed.err == "was wrong before: old\nnote: cert-manager is old (update it)\n"


def test_a_terminal_gets_colours_and_a_pipe_none() -> None:
    for terminal in (True, False):
        written = io.StringIO()
        Console(file=written, force_terminal=terminal, color_system="standard" if terminal else None).print(
            tree._phase("Degraded")
        )
        assert ("\x1b" in written.getvalue()) is terminal
