"""Fetching and reading repositories over HTTP: what is found, what is refused, and the environment of git."""

from __future__ import annotations

import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from nautes.clients.git import GitCache, Limits
from nautes.clients.git_directory import CLEANED, PAUSE, GitDirectory
from nautes.messages.errors import Forbidden, NotFound, Refused, Unavailable
from tests.integration.convergence.git_server import PASSWORD, USER, GitServer, Source
from tests.waiting import until


@pytest.fixture
def source(git_server: GitServer) -> Source:
    return Source(git_server, f"shop/{uuid.uuid4().hex[:8]}")


def test_a_branch_a_tag_a_full_ref_and_a_commit_are_fetched(git: GitCache, source: Source) -> None:
    first = source.commit({"a.yaml": "one"})
    source.tag("v1", first)
    second = source.commit({"a.yaml": "two"})
    assert git.fetch(source.repository, "main") == second
    assert git.fetch(source.repository, "v1") == first
    assert git.fetch(source.repository, "refs/heads/main") == second
    assert git.fetch(source.repository, first) == first
    assert [(each.path, each.content) for each in git.files(source.repository, first)] == [("a.yaml", b"one")]


def test_a_branch_wins_over_a_tag_of_the_same_name(git: GitCache, source: Source) -> None:
    first = source.commit({"a": "1"})
    source.tag("main", first)
    second = source.commit({"a": "2"})
    assert git.fetch(source.repository, "main") == second


def test_what_is_there_is_not_fetched_again(git: GitCache, git_server: GitServer, source: Source) -> None:
    commit = source.commit({"a": "1"})
    git.fetch(source.repository, commit)
    before = len(git_server.requests)
    assert git.fetch(source.repository, commit) == commit
    assert git.files(source.repository, commit)
    assert len(git_server.requests) == before


def test_only_the_directory_that_is_asked_for_is_read(git: GitCache, source: Source) -> None:
    commit = source.commit({"app/a.yaml": "1", "app/deep/b.yaml": "2", "other/c.yaml": "3", "apple/d.yaml": "4"})
    found = {each.path for each in git.files(source.repository, commit, "./app/")}
    assert found == {"app/a.yaml", "app/deep/b.yaml"}
    assert len(git.files(source.repository, commit, ".")) == 4
    with pytest.raises(NotFound, match="no directory nowhere"):
        git.files(source.repository, commit, "nowhere")


@pytest.mark.parametrize("path", ["/etc", "../x", "a/../../x", "a//b", ".git", "a\0b", "a/.GIT/b"])
def test_a_path_that_leads_elsewhere_is_refused(git: GitCache, source: Source, path: str) -> None:
    commit = source.commit({"a/b": "1"})
    with pytest.raises(Refused, match="not a relative path"):
        git.files(source.repository, commit, path)


def test_a_symbolic_link_is_refused_with_its_path(git: GitCache, source: Source) -> None:
    commit = source.commit({"a.yaml": "1", "app/link": "/etc/passwd"}, modes={"app/link": "120000"})
    with pytest.raises(Refused, match="app/link is a symbolic link") as refusal:
        git.files(source.repository, commit)
    assert refusal.value.code == "git-symlink"


def test_a_path_that_goes_through_a_symbolic_link_is_refused(git: GitCache, source: Source) -> None:
    commit = source.commit({"app/a.yaml": "1", "way": "app"}, modes={"way": "120000"})
    with pytest.raises(Refused, match="way is a symbolic link"):
        git.files(source.repository, commit, "way")


def test_a_submodule_is_refused_with_its_path(git: GitCache, source: Source) -> None:
    commit = source.commit({"a.yaml": "1", "lib": "1" * 40}, modes={"lib": "160000"})
    with pytest.raises(Refused, match="lib is a submodule") as refusal:
        git.files(source.repository, commit)
    assert refusal.value.code == "git-submodule"


def test_a_file_of_100_megabytes_is_refused_and_not_even_fetched(git: GitCache, source: Source, tmp_path: Path) -> None:
    commit = source.commit({"a.yaml": "1", "app/huge.yaml": os.urandom(100 << 20)})
    with pytest.raises(Refused, match=r"app/huge.yaml is larger than") as refusal:
        git.files(source.repository, commit)
    assert refusal.value.code == "git-file-size"
    assert sum(each.stat().st_size for each in tmp_path.rglob("*") if each.is_file()) < 1 << 20


def test_a_file_over_the_limit_that_was_fetched_is_refused(git: GitCache, source: Source) -> None:
    commit = source.commit({"big.yaml": "x" * ((1 << 20) + 1)})
    with pytest.raises(Refused, match=r"big.yaml is larger"):
        git.files(source.repository, commit)


def test_too_many_files_and_too_much_in_all_are_refused(git_server: GitServer, source: Source, tmp_path: Path) -> None:
    commit = source.commit({f"{number}.yaml": "x" * 100 for number in range(20)})
    for limits, code in ((Limits(files=19), "git-files"), (Limits(total=1999), "git-total-size")):
        cache = GitCache(tmp_path / code, git_server.url, lambda: (USER, PASSWORD), limits)
        with pytest.raises(Refused) as refusal:
            cache.files(source.repository, commit)
        assert refusal.value.code == code


@pytest.mark.parametrize("name", [b"..", b".git", b".GIT", b"a\\b", b"\xff\xfe", b"a\nb", b"x" * 300])
def test_odd_names_in_a_tree_are_refused(git: GitCache, source: Source, name: bytes) -> None:
    blob = source.tree(b"")  # any object will do as long as it is there
    commit = source.point("main", source.tree(b"40000 " + name + b"\0" + bytes.fromhex(blob)))
    with pytest.raises(Refused) as refusal:
        git.files(source.repository, commit)
    assert refusal.value.code == "git-name"


@pytest.mark.parametrize(
    "ref", ["", "-x", "--upload-pack=touch x", "a b", "a..b", "a:b", "*", "refs/heads/*", "a\0b", "@{1}", "x.lock"]
)
def test_what_cannot_be_a_ref_is_refused_before_git_sees_it(git: GitCache, git_server: GitServer, ref: str) -> None:
    before = len(git_server.requests)
    with pytest.raises(Refused):
        git.fetch("shop/any", ref)
    assert len(git_server.requests) == before


@pytest.mark.parametrize(
    "repository", ["", "..", "a/../b", "/a", "-a/b", "a/b.git", "a b/c", "http://elsewhere/x", "a/b?c"]
)
def test_what_cannot_be_a_repository_is_refused(git: GitCache, repository: str) -> None:
    with pytest.raises(Refused):
        git.fetch(repository, "main")


def test_what_is_not_there_is_not_found(git: GitCache, source: Source) -> None:
    source.commit({"a": "1"})
    with pytest.raises(NotFound, match="no branch or tag other"):
        git.fetch(source.repository, "other")
    with pytest.raises(NotFound):
        git.fetch(source.repository, "0" * 40)
    with pytest.raises(NotFound, match="no such repository"):
        git.fetch("shop/nowhere", "main")


def test_a_wrong_password_is_forbidden_and_not_told(git_server: GitServer, source: Source, tmp_path: Path) -> None:
    source.commit({"a": "1"})
    cache = GitCache(tmp_path / "other", git_server.url, lambda: (USER, "wrong-horse"))
    with pytest.raises(Forbidden) as refusal:
        cache.fetch(source.repository, "main")
    assert "wrong-horse" not in str(refusal.value)


@pytest.mark.parametrize(
    ("status", "error"), [(403, Forbidden), (404, NotFound), (429, Unavailable), (503, Unavailable)]
)
def test_answers_of_the_server_become_our_errors(
    git: GitCache,
    git_server: GitServer,
    source: Source,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    error: type[Exception],
) -> None:
    source.commit({"a": "1"})
    monkeypatch.setattr(git_server, "status", status)
    with pytest.raises(error):
        git.fetch(source.repository, "main")


def test_a_redirect_is_not_followed(
    git: GitCache, git_server: GitServer, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    source.commit({"a": "1"})
    monkeypatch.setattr(git_server, "redirect", git_server.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(Refused, match="redirects elsewhere"):
        git.fetch(source.repository, "main")


def test_a_server_that_is_not_there_is_an_outage(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        GitCache(tmp_path, "http://127.0.0.1:1", lambda: (USER, PASSWORD)).fetch("a/b", "main")


def test_many_fetch_one_repository_at_once(git_server: GitServer, source: Source, tmp_path: Path) -> None:
    commits = [source.commit({"a.yaml": str(number)}) for number in range(6)]
    caches = [GitCache(tmp_path / "shared", git_server.url, lambda: (USER, PASSWORD)) for _ in range(2)]
    with ThreadPoolExecutor(6) as pool:
        found = pool.map(lambda job: job[0].files(source.repository, job[1]), [(c, x) for x in commits for c in caches])
    assert [each[0].content for each in found] == [str(number).encode() for number in range(6) for _ in caches]


def test_who_asks_while_somebody_waits_shares_the_fetch_that_begins_afterwards(
    git: GitCache, git_server: GitServer, source: Source, tmp_path: Path
) -> None:
    git.fetch(source.repository, source.commit({"a.yaml": "1"}))
    (path,) = (tmp_path / "git").glob("*.git")
    before = len(git_server.requests)
    git.fetch(source.repository, "main")
    once = len(git_server.requests) - before
    newest = source.commit({"a.yaml": "2"})
    with ThreadPoolExecutor(20) as pool:
        with GitDirectory(tmp_path / "git", 1 << 30).writing(path):  # somebody else has the repository
            asked = [pool.submit(git.fetch, source.repository, "main") for _ in range(20)]
            until(lambda: pool._work_queue.empty() and not any(each.done() for each in asked), "all of them wait")
            before = len(git_server.requests)
        assert {each.result() for each in asked} == {newest}
    assert len(git_server.requests) - before <= 2 * once, "one fetch, and one for who came when it had begun"
    newer = source.commit({"a.yaml": "3"})
    assert git.fetch(source.repository, "main") == newer


def test_a_fetch_that_fails_fails_for_all_who_share_it_and_is_tried_anew(
    git: GitCache, git_server: GitServer, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = source.commit({"a.yaml": "1"})
    with monkeypatch.context() as broken, ThreadPoolExecutor(8) as pool:
        broken.setattr(git_server, "status", 503)
        asked = [pool.submit(git.fetch, source.repository, "main") for _ in range(8)]
        assert all(isinstance(each.exception(), Unavailable) for each in asked)
    assert git.fetch(source.repository, "main") == commit


def test_a_lost_cache_is_made_anew(git: GitCache, source: Source, tmp_path: Path) -> None:
    commit = source.commit({"a.yaml": "1"})
    git.fetch(source.repository, commit)
    assert GitDirectory(tmp_path / "git", 0).clean() == 1
    assert not list((tmp_path / "git").glob("*.git"))
    assert git.files(source.repository, commit)[0].content == b"1"


def test_the_longest_unused_repositories_go_when_there_is_too_much(
    git: GitCache, git_server: GitServer, tmp_path: Path
) -> None:
    sources = [Source(git_server, f"many/{uuid.uuid4().hex[:8]}") for _ in range(3)]
    commits = [each.commit({"a.yaml": "1"}) for each in sources]
    for each, commit in zip(sources, commits, strict=True):
        git.fetch(each.repository, commit)
    paths = sorted((tmp_path / "git").glob("*.git"), key=lambda path: path.stat().st_mtime)
    git.fetch(sources[0].repository, commits[0])  # used again
    assert GitDirectory(tmp_path / "git", _bytes(paths[0]) * 2 + 200).clean() == 1
    assert sorted(path.exists() for path in paths) == [False, True, True]
    assert paths[0].exists()


def test_the_cache_cleans_itself_once_an_hour(git_server: GitServer, tmp_path: Path) -> None:
    cache = GitCache(tmp_path / "small", git_server.url, lambda: (USER, PASSWORD), Limits(cache=0))
    first, second = (Source(git_server, f"two/{uuid.uuid4().hex[:8]}") for _ in range(2))
    cache.fetch(first.repository, first.commit({"a": "1"}))
    assert not list((tmp_path / "small").glob("*.git"))  # nothing fits, and nobody reads it
    cache.fetch(first.repository, "main")
    cache.fetch(second.repository, second.commit({"a": "1"}))
    assert len(list((tmp_path / "small").glob("*.git"))) == 2
    mark = tmp_path / "small" / CLEANED
    os.utime(mark, (mark.stat().st_atime, mark.stat().st_mtime - PAUSE))
    cache.fetch(second.repository, second.commit({"a": "2"}))
    assert not list((tmp_path / "small").glob("*.git"))


def test_what_is_being_read_or_fetched_stays(git: GitCache, source: Source, tmp_path: Path) -> None:
    git.fetch(source.repository, source.commit({"a.yaml": "1"}))
    directory = GitDirectory(tmp_path / "git", 0)
    (path,) = (tmp_path / "git").glob("*.git")
    with directory.reading(path), directory.reading(path):
        assert directory.clean() == 0
        assert path.exists()
    with directory.writing(path):
        assert directory.clean() == 0
    assert directory.clean() == 1


def test_a_commit_that_goes_between_fetch_and_read_is_fetched_again(
    git: GitCache, source: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = source.commit({"a.yaml": "1"})
    fetch, lost = git.fetch, []

    def losing(repository: str, commit: str) -> str:
        found = fetch(repository, commit)
        if not lost:
            lost.append(GitDirectory(tmp_path / "git", 0).clean())
        return found

    monkeypatch.setattr(git, "fetch", losing)
    assert git.files(source.repository, commit)[0].content == b"1"
    assert lost == [1]


def test_a_repository_of_very_many_fetches_begins_anew(
    git: GitCache, source: Source, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("nautes.clients.git_directory.PACKS", 4)
    commits = [source.commit({"a.yaml": str(number), "b.yaml": "same"}) for number in range(9)]
    most = 0
    for commit in commits:
        git.fetch(source.repository, commit)
        (path,) = (tmp_path / "git").glob("*.git")
        most = max(most, len(list(path.glob("objects/pack/*.pack"))))
    assert most == 3
    for number in (8, 0):  # the newest, and one that has gone from the cache
        found = {each.path: each.content for each in git.files(source.repository, commits[number])}
        assert found == {"a.yaml": str(number).encode(), "b.yaml": b"same"}


def test_no_secret_is_written_to_the_cache(git: GitCache, source: Source, tmp_path: Path) -> None:
    source.commit({"a.yaml": "1"})
    git.fetch(source.repository, "main")
    texts = [each.read_bytes() for each in (tmp_path / "git").rglob("*") if each.is_file()]
    assert not any(PASSWORD.encode() in text or b"Authorization" in text for text in texts)


def _bytes(path: Path) -> int:
    return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
