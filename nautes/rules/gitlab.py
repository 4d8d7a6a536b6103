"""Rules about names, paths and lengths that GitLab itself refuses, so that a change is refused before it begins.

The forms are those of GitLab's own validation (lib/gitlab/regex.rb, path_regex.rb; user/reserved_names). A rule looks
only at what a change touches: a group or project with an older form is not refused until its declaration changes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from nautes.resources.product import CodeRepo, GitLabSettings, Product
from nautes.rules.engine import Findings, World, finding, rule

SLUG = r"[A-Za-z0-9]+([._-][A-Za-z0-9]+)*"
SLUG_TEXT = "letters and digits, with single '.', '_' or '-' between them"
PATH_LIMIT, NAME_LIMIT, DESCRIPTION_LIMIT = 255, 255, 255
SHORTEST_GROUP = 2
BELOW_A_GROUP = frozenset(
    (
        *(
            "-",
            "badges",
            "blame",
            "blob",
            "builds",
            "commits",
            "create",
            "create_dir",
            "edit",
            "files",
            "find_file",
            "new",
        ),
        *("preview", "raw", "refs", "tree", "update", "wikis"),
    )
)
AT_THE_TOP = frozenset(
    (
        *(
            "-",
            ".well-known",
            "404.html",
            "422.html",
            "500.html",
            "502.html",
            "503.html",
            "admin",
            "api",
            "assets",
            "dashboard",
        ),
        *(
            "deploy.html",
            "explore",
            "favicon.ico",
            "favicon.png",
            "files",
            "groups",
            "health_check",
            "help",
            "import",
            "jwt",
        ),
        *("login", "oauth", "profile", "projects", "public", "robots.txt", "s", "search", "sitemap", "sitemap.xml"),
        *("sitemap.xml.gz", "slash-command-logo.png", "snippets", "unsubscribes", "uploads", "users", "v2"),
        *("apple-touch-icon.png", "apple-touch-icon-precomposed.png"),
    )
)
FIRST_SYMBOL, LAST_SYMBOL = 0xA9, 0x1F9FF  # any character of this range may stand in a name


@rule(
    "gitlab-path", Product, CodeRepo, summary=f"the path of a group or repository is one that GitLab takes: {SLUG_TEXT}"
)
def gitlab_path(resource: Product | CodeRepo, world: World) -> Findings:
    for why in _path(resource) if isinstance(resource, Product) else _part(resource.name, BELOW_A_GROUP):
        yield finding(
            "gitlab-path", resource, f"GitLab does not take the path {resource.name}: {why}", pointer="/spec/name"
        )


@rule("gitlab-name", Product, CodeRepo, summary="the display name of a group or repository is one that GitLab takes")
def gitlab_name(resource: Product | CodeRepo, world: World) -> Findings:
    name = _settings(resource).name
    if name and (wrong := _wrong_name(name, "()" if isinstance(resource, Product) else "+")):
        yield finding(
            "gitlab-name", resource, f"GitLab does not take this name: {wrong}", pointer="/spec/git/gitlab/name"
        )


@rule("gitlab-name-taken", CodeRepo, summary="the display name of a repository is unique in its group")
def gitlab_name_taken(repository: CodeRepo, world: World) -> Findings:
    for other in world.alike(CodeRepo, displayed)[displayed(repository)]:
        if other.name < repository.name:
            text = f"the name {displayed(repository)!r} is the name of {other.key} already"
            yield finding("gitlab-name-taken", repository, text, pointer="/spec/git/gitlab/name")


@rule("gitlab-description", Product, CodeRepo, summary=f"a description has at most {DESCRIPTION_LIMIT} characters")
def gitlab_description(resource: Product | CodeRepo, world: World) -> Findings:
    length = len(_settings(resource).description or "")
    if length > DESCRIPTION_LIMIT:
        text = f"the description has {length} characters, GitLab takes {DESCRIPTION_LIMIT}"
        yield finding("gitlab-description", resource, text, pointer="/spec/git/gitlab/description")


def displayed(repository: CodeRepo) -> str:
    """The name under which GitLab shows a repository."""
    return _settings(repository).name or repository.name


def _settings(resource: Product | CodeRepo) -> GitLabSettings:
    return resource.git.gitlab or GitLabSettings()


def _path(product: Product) -> Iterator[str]:
    first, *below = product.name.split("/")
    yield from _part(first, AT_THE_TOP, SHORTEST_GROUP)
    for each in below:
        yield from _part(each, BELOW_A_GROUP, SHORTEST_GROUP)


def _part(part: str, reserved: frozenset[str], shortest: int = 1) -> Iterator[str]:
    """What is wrong with one part of a path."""
    if not re.fullmatch(SLUG, part):
        yield f"{part} must consist of {SLUG_TEXT}"
    elif part.lower().endswith((".git", ".atom")):
        yield f"{part} ends with .git or .atom"
    elif part.lower() in reserved:
        yield f"{part} is reserved"
    elif not shortest <= len(part) <= PATH_LIMIT:
        yield f"{part} has {len(part)} characters, GitLab takes {shortest} to {PATH_LIMIT}"


def _wrong_name(name: str, more: str) -> str:
    """What is wrong with a display name, "" nothing; `more` are characters that only this kind may use."""
    if len(name) > NAME_LIMIT:
        return f"it has {len(name)} characters, GitLab takes {NAME_LIMIT}"
    if not _symbol(name[0]):
        return "it must begin with a letter, a digit, an emoji or '_'"
    bad = next(
        (each for each in name if not (_symbol(each) or each in f". {more}" or unicodedata.category(each) == "Pd")), ""
    )
    allowed = " ".join(more)
    return (
        f"{bad!r} may not stand in it (letters, digits, emoji, '_', '.', dashes, spaces and {allowed} may)"
        if bad
        else ""
    )


def _symbol(character: str) -> bool:
    return character == "_" or character.isalnum() or FIRST_SYMBOL <= ord(character) <= LAST_SYMBOL
