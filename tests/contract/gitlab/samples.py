"""One answer of every endpoint the platform or the tests rely on, and the keys GitLab has there (answers.yaml)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from tests.contract.gitlab.support import OWNER, Maker, day, public_key


def _answers() -> dict[str, dict[str, list[str]]]:
    """Endpoint -> known keys, and those the platform reads."""
    data = yaml.safe_load((Path(__file__).parent / "answers.yaml").read_text())
    known = {name: text.split() for name, text in data["entities"].items()}
    return {
        endpoint: {"known": known[entity], "read": reads.split()}
        for endpoint, (entity, reads) in data["endpoints"].items()
    }


ANSWERS = _answers()


def samples(make: Maker) -> dict[str, Any]:
    """Endpoint -> the object it answers, or the first of its list."""
    root, found = make.root, {}
    person = make.user()
    group = make.group()
    project = make.project(readme=True, namespace_id=group["id"])
    here, space = f"/projects/{project['id']}", f"/groups/{group['id']}"
    found["GET /user"] = root.seen("/user")
    found["GET /version"] = root.seen("/version")
    found["GET /personal_access_tokens/self"] = person.api.seen("/personal_access_tokens/self")
    found["POST /groups"], found["POST /projects"] = group, project
    found["GET /groups"] = root.seen("/groups", search=group["path"])[0]
    found["GET /groups/:id"] = root.seen(space)
    found["PUT /groups/:id"] = root.put(space, description="d").json()
    found["GET /groups/:id/projects"] = root.seen(f"{space}/projects")[0]
    found["GET /projects/:id"] = root.seen(here)
    found["GET /projects"] = root.seen("/projects", search=project["path"])[0]
    found["GET /projects?simple"] = root.seen("/projects", search=project["path"], simple=True)[0]
    found["PUT /projects/:id"] = root.put(here, description="d").json()
    for kind, base in (("groups", space), ("projects", here)):
        made = root.made(f"{base}/members", user_id=person.id, access_level=OWNER)
        found[f"POST /{kind}/:id/members"] = made
        found[f"GET /{kind}/:id/members"] = root.seen(f"{base}/members")[0]
        found[f"GET /{kind}/:id/members/all/:user_id"] = root.seen(f"{base}/members/all/{person.id}")
    return found | _hooks_and_keys(make, here) | _repository(make, here) | {"GET /events": _event(person.api)}


def _event(api: Any) -> Any:
    return api.seen("/events", scope="all", action="pushed")[0]


def _hooks_and_keys(make: Maker, here: str) -> dict[str, Any]:
    root, found = make.root, {}
    hook = root.made(f"{here}/hooks", url="http://127.0.0.1:9/x")
    found["POST /projects/:id/hooks"] = hook
    found["GET /projects/:id/hooks"] = root.seen(f"{here}/hooks")[0]
    found["PUT /projects/:id/hooks/:hook_id"] = root.put(f"{here}/hooks/{hook['id']}", url=hook["url"]).json()
    root.post(f"{here}/hooks/{hook['id']}/test/push_events")
    found["GET /projects/:id/hooks/:hook_id/events"] = root.seen(f"{here}/hooks/{hook['id']}/events")[0]
    found["GET /projects/:id/protected_branches"] = root.seen(f"{here}/protected_branches")[0]
    changed = root.patch(f"{here}/protected_branches/main", allow_force_push=False).json()
    found["PATCH /projects/:id/protected_branches/:name"] = changed
    return found | _keys(make, here) | _tokens(make, here)


def _keys(make: Maker, here: str) -> dict[str, Any]:
    root, base, found = make.root, f"{here}/deploy_keys", {}
    key = root.made(base, title="k", key=public_key(), expires_at=f"{day(30)}T00:00:00Z")
    found["POST /projects/:id/deploy_keys"] = key
    found["GET /projects/:id/deploy_keys"] = root.seen(base)[0]
    found["POST /projects/:id/deploy_keys/:key_id/enable"] = root.made(f"{base}/{key['id']}/enable")
    found["PUT /projects/:id/deploy_keys/:key_id"] = root.put(f"{base}/{key['id']}", can_push=True).json()
    return found


def _tokens(make: Maker, here: str) -> dict[str, Any]:
    root, base, found = make.root, f"{here}/access_tokens", {}
    token = root.made(base, name="t", scopes=["api"], expires_at=day(30))
    found["POST /projects/:id/access_tokens"] = token
    found["GET /projects/:id/access_tokens"] = root.seen(base)[0]
    found["GET /projects/:id/access_tokens/:token_id"] = root.seen(f"{base}/{token['id']}")
    rotated = root.post(f"{base}/{token['id']}/rotate", expires_at=day(30))
    found["POST /projects/:id/access_tokens/:token_id/rotate"] = rotated.json()
    return found


def _repository(make: Maker, here: str) -> dict[str, Any]:
    root, base, found = make.root, f"{here}/repository", {}
    action = {"action": "create", "file_path": "a.txt", "content": "a"}
    commit = root.made(f"{base}/commits", branch="main", commit_message="m", actions=[action])
    at = f"{base}/commits/{commit['id']}"
    found["POST /projects/:id/repository/commits"] = commit
    found["GET /projects/:id/repository/commits"] = root.seen(f"{base}/commits")[0]
    found["GET /projects/:id/repository/commits/:sha"] = root.seen(at)
    found["GET /projects/:id/repository/commits/:sha/diff"] = root.seen(f"{at}/diff")[0]
    found["POST /projects/:id/repository/commits/:sha/comments"] = root.made(f"{at}/comments", note="n")
    found["GET /projects/:id/repository/commits/:sha/comments"] = root.seen(f"{at}/comments")[0]
    found["POST /projects/:id/statuses/:sha"] = root.made(f"{here}/statuses/{commit['id']}", state="success")
    found["GET /projects/:id/repository/commits/:sha/statuses"] = root.seen(f"{at}/statuses")[0]
    found["GET /projects/:id/repository/branches"] = root.seen(f"{base}/branches")[0]
    found["POST /projects/:id/repository/tags"] = root.made(f"{base}/tags", tag_name="v1", ref="main")
    found["GET /projects/:id/repository/tree"] = root.seen(f"{base}/tree")[0]
    found["GET /projects/:id/repository/files/:file_path"] = root.seen(f"{base}/files/a.txt", ref="main")
    found["GET /projects/:id/repository/compare"] = root.seen(f"{base}/compare", **{"from": "main", "to": "v1"})
    return found
