"""Names of the kinds for people, and their paths in the API. Used by the commands that read, wait and delete."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from nautes.cli.client import USAGE, CommandError

KINDS = {
    "clusters": ("cluster", "cls"),
    "products": ("product", "prod", "prods"),
    "environments": ("environment", "env", "envs"),
    "projects": ("project", "pro", "pros", "proj"),
    "coderepos": ("coderepo", "cr", "crs"),
    "coderepobindings": ("coderepobinding", "crb", "crbs"),
    "projectpipelineruntimes": ("projectpipelineruntime", "ppr", "pprs"),
    "deploymentruntimes": ("deploymentruntime", "dr", "drs"),
    "runs": ("run",),
}
NAMES = {
    "clusters": "Cluster",
    "products": "Product",
    "environments": "Environment",
    "projects": "Project",
    "coderepos": "CodeRepo",
    "coderepobindings": "CodeRepoBinding",
    "projectpipelineruntimes": "ProjectPipelineRuntime",
    "deploymentruntimes": "DeploymentRuntime",
}
ALONE = ("clusters", "products")  # that belong to no product


def plural(kind: str) -> str:
    """The plural of any name of a kind. Raises `CommandError`."""
    found = next((each for each, others in KINDS.items() if kind.lower() in (each, *others)), None)
    if found is None:
        raise CommandError(f"unknown kind {kind}; known: {', '.join(KINDS)}", USAGE)
    return found


def route(kind: str, product: str, name: str = "") -> str:
    """The path of a list, or of one item. Raises `CommandError` when the product is missing."""
    if kind not in ALONE and not product:
        raise CommandError(f"{kind} belong to a product: use -p", USAGE)
    base = "/api/v1" if kind in ALONE else f"/api/v1/products/{quoted(product)}"
    return f"{base}/{kind}/{quoted(name)}" if name else f"{base}/{kind}"


def runtime(what: str, product: str) -> tuple[str, str, str]:
    """(kind, product, name) of deployment/<product>/<name>, deployment/<name> or <name>."""
    kind, _, rest = what.partition("/")
    if kind not in ("deployment", "pipeline"):
        kind, rest = "deployment", what
    path, _, name = rest.rpartition("/")
    path = path or product
    if not path or not name:
        raise CommandError("name it as deployment/<product>/<name>, or use -p", USAGE)
    return kind, path, name


def run_id(run: dict[str, Any]) -> str:
    """The id of a run, as `describe` takes it."""
    return f"run/{run['product']}/{run['runtime']}/{run['event']}-{run['trigger']}-{run['pipeline']}"


def quoted(path: str) -> str:
    """A path as one part of an address."""
    return quote(path, safe="")
