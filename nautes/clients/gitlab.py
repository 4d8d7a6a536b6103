"""GitLab through python-gitlab: one session per call at a time, one translation of errors. Used by activities and by the API.

Redirects to other hosts are refused. For activities nothing is retried here: Temporal retries, and shows it; their calls are
counted (nautes/clients/pace.py), and a GitLab that does not answer is left alone for a while (circuit.py). For the API, where
a person waits, a read whose connection broke is retried once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import gitlab
import requests
from gitlab.exceptions import GitlabAuthenticationError, GitlabError

from nautes.clients.circuit import Circuit, UnansweredError
from nautes.clients.pace import LIMITED, Pace, limited
from nautes.clients.sessions import Sessions
from nautes.messages.common import Requester
from nautes.messages.errors import Conflict, Forbidden, NautesError, NotFound, Refused, Unauthenticated, Unavailable
from nautes.resources.names import Names

UNREACHABLE = "gitlab-unreachable"
DEVELOPER, MAINTAINER, OWNER = 30, 40, 50
PAGE = 100
API_READ_ATTEMPTS = 2
_MOVED = ("Could not update refs", "has changed since you started editing", "already exists", "doesn't exist")


class GitLab:
    """`token` is the platform's or, at the API, the caller's own; `timeout` in seconds per call.

    `read_attempts`: how often a read is tried whose connection breaks. `pace`: counts the calls of the platform's account, and
    makes all of them wait when GitLab asks for it.
    """

    def __init__(
        self,
        url: str,
        token: str,
        timeout: float = 10.0,
        *,
        read_attempts: int = 1,
        sessions: Sessions | None = None,
        pace: Pace | None = None,
    ) -> None:
        self._url, self._token, self._timeout = url.rstrip("/"), token, timeout
        self._read_attempts = read_attempts
        self._sessions = sessions or Sessions(judge)
        self._pace = pace
        self._circuit = Circuit(UNREACHABLE, "GitLab") if pace else None

    @contextmanager
    def _api(self, method: str, path: str) -> Iterator[gitlab.Gitlab]:
        with self._sessions.one() as session, self._guarded(method, path):
            yield gitlab.Gitlab(
                self._url, private_token=self._token, timeout=self._timeout, session=session, keep_base_url=True
            )

    @contextmanager
    def _guarded(self, method: str, path: str) -> Iterator[None]:
        """One call of the platform's own account: within the limits of its rate, and not to a GitLab that is away."""
        if self._pace is None or self._circuit is None:
            yield
            return
        self._pace.before(method, path)
        answered: Exception | None = None
        with self._circuit.call():
            try:
                yield
            except requests.RequestException as error:
                raise UnansweredError(_unreachable(error)) from None
            except (GitlabError, NautesError) as error:  # GitLab is there
                answered = error
        if isinstance(answered, Unavailable) and answered.code == LIMITED:
            raise limited(self._pace.refused(answered.retry_after), "GitLab asks to wait")
        self._pace.answered()
        if answered is not None:
            raise answered

    def get(self, path: str, /, **query: Any) -> Any:
        """GET below /api/v4."""
        with translated(f"GET {path}"):
            for _ in range(self._read_attempts - 1):
                with suppress(requests.ConnectionError), self._api("GET", path) as api:
                    return api.http_get(path, query_data=query)
            with self._api("GET", path) as api:
                return api.http_get(path, query_data=query)

    def find(self, path: str, /, **query: Any) -> Any | None:
        """GET, or None when the object does not exist (or we may not see it)."""
        try:
            return self.get(path, **query)
        except NotFound:
            return None

    def pages(self, path: str, /, **query: Any) -> list[Any]:
        """Every item of a list."""
        with translated(f"GET {path}"), self._api("GET", path) as api:
            return list(api.http_list(path, query_data={"per_page": PAGE, **query}, iterator=True))

    def page(self, path: str, number: int, /, **query: Any) -> tuple[list[Any], int]:
        """One page of a list, and the number of the next one; 0 on the last. A page may be shorter than asked for, or empty."""
        with translated(f"GET {path}"), self._api("GET", path) as api:
            answer = api.http_request("get", path, query_data={"per_page": PAGE, **query, "page": number})
            following = answer.headers.get("x-next-page", "")
            return list(answer.json()), int(following) if following.isdigit() else 0

    def post(self, path: str, /, **body: Any) -> Any:
        """POST below /api/v4."""
        with translated(f"POST {path}"), self._api("POST", path) as api:
            return api.http_post(path, post_data=body)

    def put(self, path: str, /, **body: Any) -> Any:
        """PUT below /api/v4."""
        with translated(f"PUT {path}"), self._api("PUT", path) as api:
            return api.http_put(path, post_data=body)

    def delete(self, path: str, /, **query: Any) -> bool:
        """DELETE; False when it was not there."""
        try:
            with translated(f"DELETE {path}"), self._api("DELETE", path) as api:
                api.http_delete(path, query_data=query)
        except NotFound:
            return False
        return True

    def group_id(self, path: str) -> int:
        """Id of a group by full path, 0 when there is none."""
        found = self.find(f"/groups/{quoted(path)}")
        # GitLab takes a number for an id, and follows renames: only the exact path counts.
        return int(found["id"]) if found and str(found["full_path"]).lower() == path.lower() else 0

    def project(self, path: str) -> Any | None:
        """A project by full path, None when there is none."""
        found = self.find(f"/projects/{quoted(path)}")
        return found if found and str(found["path_with_namespace"]).lower() == path.lower() else None

    def project_id(self, path: str) -> int:
        """Id of a project by full path, 0 when there is none."""
        found = self.project(path)
        return int(found["id"]) if found else 0

    def head(self, project_id: int, branch: str) -> str:
        """The commit at the head of a branch, "" when there is none: one call, where a fetch by git would be several."""
        found = self.find(f"/projects/{project_id}/repository/branches/{quoted(branch)}")
        return str(found["commit"]["id"]) if found else ""

    def names(self, repositories: Iterable[int], products: Iterable[int]) -> Names:
        """Full paths of projects and groups by their ids; what is hidden or gone has none."""
        found = {number: self.find(f"/projects/{number}") for number in sorted(repositories)}
        groups = {number: self.find(f"/groups/{number}") for number in sorted(products)}
        return Names(
            products={str(each["full_path"]): number for number, each in groups.items() if each},
            repositories={str(each["path_with_namespace"]): number for number, each in found.items() if each},
        )


@dataclass(frozen=True)
class Branch:
    """A branch as GitLab shows it to one caller: its head, and whether this caller may push to it."""

    commit: str
    can_push: bool


class Caller:
    """The caller of the API, identified by their own token; every request is made with it."""

    def __init__(self, url: str, timeout: float = 10.0) -> None:
        self._url, self._timeout = url, timeout
        self._sessions = Sessions(judge)  # of all callers: a connection holds nothing of a token

    def who(self, token: str) -> Requester:
        """The owner of a token. Raises `Unauthenticated`."""
        user = self.user(token)
        return Requester(
            id=user["id"],
            username=user["username"],
            name=user["name"],
            email=user.get("email") or "",
            admin=bool(user.get("is_admin")),
        )

    def user(self, token: str) -> dict[str, Any]:
        """GitLab's record of the caller: `is_admin`, `can_create_group`. Raises `Unauthenticated`."""
        return dict(self._client(token).get("/user"))

    def level(self, token: str, user_id: int, path: str, kind: str) -> int | None:
        """Access level by membership in a "groups" or "projects" path; None when the caller may not know of it."""
        client = self._client(token)
        if client.find(f"/{kind}/{quoted(path)}") is None:
            return None
        member = client.find(f"/{kind}/{quoted(path)}/members/all/{user_id}")
        return int(member["access_level"]) if member else 0

    def branch(self, token: str, path: str, name: str) -> Branch | None:
        """A branch of a project, None when there is none or the caller may not know of it. Raises `Forbidden`."""
        found = self._client(token).find(f"/projects/{quoted(path)}/repository/branches/{quoted(name)}")
        return Branch(str(found["commit"]["id"]), bool(found["can_push"])) if found else None

    def project(self, token: str, path: str) -> dict[str, Any] | None:
        """A project by its exact full path, None when it is hidden."""
        return self._client(token).project(path)

    def group(self, token: str, path: str) -> dict[str, Any] | None:
        """A group by its full path, None when it is hidden."""
        found = self._client(token).find(f"/groups/{quoted(path)}")
        return found if found and str(found["full_path"]).lower() == path.lower() else None

    def names(self, token: str) -> GitLab:
        """Translates ids into names as far as the caller may know them."""
        return self._client(token)

    def projects_in(self, token: str, group: str) -> list[dict[str, Any]]:
        """The projects of a group that the caller may know of, a hundred per call."""
        return self._client(token).pages(f"/groups/{quoted(group)}/projects")

    def groups(self, token: str) -> list[dict[str, Any]]:
        """Every group that the caller may know of, a hundred per call."""
        return self._client(token).pages("/groups")

    def projects_named(self, token: str, name: str) -> list[dict[str, Any]]:
        """The projects of this path that the caller is a member of, a hundred per call."""
        listed = self._client(token).pages("/projects", search=name, membership="true")
        return [each for each in listed if each["path"] == name]

    def _client(self, token: str) -> GitLab:
        return GitLab(self._url, token, self._timeout, read_attempts=API_READ_ATTEMPTS, sessions=self._sessions)


def judge(response: requests.Response, *_: Any, **__: Any) -> None:
    """Runs before python-gitlab sees an answer: it would sleep on a 429 and follow any redirect."""
    if response.status_code == 429:
        wish = response.headers.get("Retry-After", "")
        delay = float(wish) if wish.isascii() and wish.isdigit() else None
        raise Unavailable(LIMITED, "GitLab limits the rate of requests", retry_after=delay)
    target = response.headers.get("Location", "")
    if response.is_redirect and urlsplit(target).netloc not in ("", urlsplit(response.url).netloc):
        raise Refused("gitlab-redirect", "GitLab redirects to another host")


def quoted(path: str) -> str:
    """A path as one part of a URL."""
    return quote(path, safe="")


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn every error of python-gitlab into one of ours; `what` was attempted, and holds no secret."""
    try:
        yield
    except GitlabError as error:
        raise _translate(error, what) from None
    except requests.RequestException as error:
        raise _unreachable(error) from None


def _unreachable(error: requests.RequestException) -> Unavailable:
    return Unavailable(UNREACHABLE, f"GitLab cannot be reached ({type(error).__name__})")


def _translate(error: GitlabError, what: str) -> NautesError:
    status = error.response_code or 0
    message = str(error.error_message)[:500]
    if isinstance(error, GitlabAuthenticationError) or status == 401:
        return Unauthenticated("gitlab-unauthenticated", f"GitLab does not accept the token: {message}")
    if status == 403:
        return Forbidden("gitlab-forbidden", f"GitLab refuses {what}: {message}")
    if status == 404:
        return NotFound("gitlab-not-found", f"{what}: {message}")
    if status == 409 or (status == 400 and any(each in message for each in _MOVED)):
        return Conflict("gitlab-conflict", f"{what}: {message}")
    if status == 429 or status >= 500 or status == 0:
        return Unavailable("gitlab-unavailable", f"GitLab answered {status or 'nothing'} to {what}")
    return Refused("gitlab-refused", f"GitLab refuses {what}: {message}")
