"""Files parsed before: the same documents as parsing them anew, once, within a limit."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nautes.convergence import parsed_files
from nautes.convergence.parsed_files import ParsedFiles
from nautes.resources.documents import Malformed, read

TWO = b"a: 1\n---\nb: [x, y]\n"


@given(st.lists(st.sampled_from([b"", b"a: 1", TWO, b"# nothing\n", b"- 1\n- 2\n"]), max_size=12))
def test_a_file_reads_the_same_however_often_it_is_read(files: list[bytes]) -> None:
    known = ParsedFiles(limit=20)
    assert [list(known.read(each)) for each in files] == [list(read(each)) for each in files]


def test_a_known_file_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    known = ParsedFiles()
    first = list(known.read(TWO))
    monkeypatch.setattr(parsed_files, "read", lambda data: pytest.fail("it was parsed again"))
    assert list(known.read(TWO)) == first


def test_the_longest_unused_is_forgotten_first() -> None:
    parsed: list[bytes] = []

    def counting(data: bytes) -> object:
        parsed.append(data)
        return read(data)

    known = ParsedFiles(limit=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsed_files, "read", counting)
        for each in (b"a: 1", b"b: 2", b"a: 1", b"c: 3", b"a: 1", b"b: 2"):
            list(known.read(each))
    assert parsed == [b"a: 1", b"b: 2", b"c: 3", b"b: 2"]


def test_what_cannot_be_read_gives_what_came_before_and_the_error_each_time() -> None:
    known, found = ParsedFiles(), []
    for _ in range(2):
        with pytest.raises(Malformed):
            for each in known.read(b"a: 1\n---\nb: [\n"):
                found.append(each)
    assert found == [{"a": 1}, {"a": 1}]


def test_many_threads_read_the_same_files() -> None:
    known = ParsedFiles(limit=30)
    files = [f"a: {number % 7}".encode() for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda each: list(known.read(each)), files))
    assert found == [[{"a": number % 7}] for number in range(200)]
