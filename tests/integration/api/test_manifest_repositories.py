"""Manifest repositories that are not taken: refused with the reason, nothing applied, and mended by the next push."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from nautes_sandbox.scenario import Scenario
from tests.integration.api.support import Cli, writes

HUNDRED_MEGABYTES = 100 << 20


def _symlink(tree: Path) -> Path:
    path = tree / "production" / "link.yaml"
    path.symlink_to("/etc/passwd")
    return path


def _large(tree: Path) -> Path:
    path = tree / "production" / "large.yaml"
    with path.open("wb") as file:
        file.truncate(HUNDRED_MEGABYTES)
    return path


CASES = {
    "a symbolic link": (_symlink, "production/link.yaml is a symbolic link"),
    "a file of 100 MB": (_large, "production/large.yaml is larger than"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_repository_with_it_is_refused(shop: Scenario, cli: Cli, case: str) -> None:
    put: Callable[[Path], Path]
    put, says = CASES[case]
    tree = shop.clone("shop/deploy")
    wrong, beside = put(tree), tree / "production" / "beside.yaml"
    beside.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: beside}\n")
    before = writes(shop.world)["Kubernetes writes"]
    commit = shop.push(tree, case)
    shop.until(lambda: says in shop.deployment()["message"], "the status says why")
    status = shop.deployment()
    assert (status["commit"], status["phase"]) == (commit, "Refused")
    assert status["converged_commit"] != commit
    assert says in cli("team", "explain", "deployment/shop/web").out
    assert says in cli("team", "status", "shop").out
    assert writes(shop.world)["Kubernetes writes"] == before
    wrong.unlink()
    beside.unlink()
    shop.push_and_wait(tree, f"without {case}")
