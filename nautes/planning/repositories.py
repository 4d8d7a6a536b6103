"""Steps about groups and repositories, made for a change and for what follows from a head alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nautes.blueprints.keys import PERMISSIONS
from nautes.planning import effects
from nautes.planning.steps import Effect, Step
from nautes.resources.product import CodeRepo, Product

DECLARATION = "default.project"
HOOK_EVENTS = ["push_events", "tag_push_events"]
READ = PERMISSIONS[:1]  # what the platform needs of a declaration

Found = Mapping[str, Any]  # a project or a group as GitLab has it


def group(product: Product, found: Found | None, owner: str) -> Step:
    """The group of a product, with who asks as its Owner when it is made."""
    gitlab = product.git.gitlab
    wanted: dict[str, Any] = {
        "path": product.name,
        "name": (gitlab.name if gitlab else "") or product.name.rpartition("/")[2],
        "visibility": gitlab.visibility if gitlab else "",
        "description": gitlab.description if gitlab else None,
        "new": found is None,
    }
    lines = list(effects.settings("group", product.name, wanted, found))
    if found is None:
        lines += effects.membership(product.name, owner)
    wanted["former"] = _former("groups", lines, found)
    return Step(id="group", kind="group", subject=f"group {product.name}", effects=lines, input=wanted)


def declaration(path: str, project_id: int, *, group_is_new: bool) -> Step:
    """The repository that holds a product's declaration."""
    lines = [] if project_id else [*effects.settings("repository", f"{path}/{DECLARATION}", {}, None)]
    if not project_id:
        lines += effects.credentials("create", f"{path}/{DECLARATION}", READ, token=False)
    wanted = {
        "project_id": project_id,
        "path": DECLARATION,
        "name": DECLARATION,
        "visibility": "private",
        "initialize": True,
        "permissions": list(READ),
        "api_access": False,
        "events": ["push_events"],
        "new": not project_id,
        "new_group": group_is_new,
    }
    return _step(f"{path}/{DECLARATION}", DECLARATION, lines, wanted)


def repository(
    path: str,
    declared: CodeRepo,
    found: Found | None,
    *,
    known: bool,
    group_is_new: bool,
    before: CodeRepo | None = None,
) -> Step:
    """A code repository: its settings, deploy keys, access token and webhook.

    `known`: it has the last three already, as `before` declares it. The step's input holds what takes it back: `former` settings,
    `former_events` of the webhook (None where they do not change), and whether it was `equipped` at all.
    """
    gitlab = declared.git.gitlab
    wanted = {
        "project_id": int(found["id"]) if found else 0,
        "path": declared.name,
        "name": (gitlab.name if gitlab else "") or declared.name,
        "visibility": gitlab.visibility if gitlab else "",
        "description": gitlab.description if gitlab else None,
        "permissions": list(PERMISSIONS),
        "api_access": True,
        "events": events(declared),
        "new": found is None,
        "new_group": group_is_new,
    }
    full = f"{path}/{declared.name}"
    lines = list(effects.settings("repository", full, wanted, found))
    former_events = events(before) if known and before and events(before) != events(declared) else None
    wanted |= {"former": _former("projects", lines, found), "equipped": known, "former_events": former_events}
    if former_events is not None:
        lines.append(effects.webhook_changed(full))
    if not known:
        lines += effects.credentials("create", full, PERMISSIONS, token=True)
    return _step(full, declared.name, lines, wanted)


def events(declared: CodeRepo) -> list[str]:
    """What the webhook reports. Pushes always: runtimes follow repositories whether or not these declare a webhook."""
    asked = [each for each in (declared.webhook.events if declared.webhook else []) if each]
    return sorted({*asked, *HOOK_EVENTS})


def equipped(path: str, declared: CodeRepo, project_id: int) -> Step:
    """A repository that is declared by a push: deploy keys, access token and webhook; its settings stay what they are."""
    made = repository(path, declared, {"id": project_id}, known=False, group_is_new=False)
    lines = [each for each in made.effects if each.action != "change"]
    return made.model_copy(update={"effects": lines, "input": {**made.input, "settings": False}})


def withdraw(path: str, name: str, project_id: int) -> Step:
    """A repository that is declared no more and stays in GitLab loses what the platform put there."""
    full = f"{path}/{name}"
    lines = list(effects.credentials("delete", full, PERMISSIONS, token=True))
    wanted = {"project_id": project_id, "path": full}
    return Step(id=f"repository:{name}", kind="withdraw", subject=f"repository {full}", effects=lines, input=wanted)


def delete(path: str, name: str, project_id: int, needs: Iterable[str], *, filled: bool) -> Step:
    """A repository goes, with all its secrets. `filled`: it has commits."""
    full, own = f"{path}/{name}", name != DECLARATION
    lines = list(effects.secrets_gone(full, PERMISSIONS if own else READ, token=own))
    lines += effects.deleted("repository", full)
    return Step(
        id=f"delete-repository:{name}",
        kind="delete-repository",
        subject=f"repository {full}",
        needs=list(needs),
        effects=lines,
        why=f"repository {full} has commits" if filled and own else "",
        input={"project_id": project_id, "path": full},
    )


def delete_group(path: str, needs: Iterable[str]) -> Step:
    """The group goes last."""
    lines = list(effects.deleted("group", path))
    return Step(
        id="delete-group", kind="delete-group", subject=f"group {path}", needs=list(needs), effects=lines, deletions=1
    )


def _former(kind: str, lines: Iterable[Effect], found: Found | None) -> dict[str, Any] | None:
    """What takes the change of settings back: the fields that differ as they are now. None where nothing changes."""
    changed = {each.pointer.strip("/"): each.before or "" for line in lines for each in line.fields}
    return {"kind": kind, "id": int(found["id"]), **changed} if found and changed else None


def _step(full: str, name: str, lines: list[Any], wanted: dict[str, Any]) -> Step:
    return Step(
        id=f"repository:{name}",
        kind="repository",
        subject=f"repository {full}",
        needs=["group"] if wanted["new_group"] else [],
        effects=lines,
        input=wanted,
    )
