"""The payload codec: what goes in comes out, nothing changed is read, keys are followed by keys, and a missing one is named."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.converter import ActivitySerializationContext, WorkflowSerializationContext

from nautes.clients.codec import AT, DATA_KEY, ENCODING, ENCRYPTED, KEY_ID, WORKFLOW_ID, Codec
from nautes.clients.keys import FileKeys, Keyring, UnknownKey, Unreadable, read_keys

ONE, TWO = bytes(range(32)), bytes(range(32, 64))
payloads = st.builds(
    Payload, metadata=st.dictionaries(st.text(min_size=1), st.binary(), max_size=4), data=st.binary(max_size=2_000)
)
workflow_ids = st.text(max_size=200)


def codec(workflow_id: str = "product/shop", **keys: bytes) -> Codec:
    """A codec for one workflow; the last key is current."""
    found = keys or {"one": ONE}
    plain = Codec(Keyring(FileKeys(found, list(found)[-1])))
    return plain.with_context(WorkflowSerializationContext("default", workflow_id))


async def sealed(payload: Payload, **keys: bytes) -> Payload:
    """A payload, encrypted."""
    (found,) = await codec(**keys).encode([payload])
    return found


def changed(value: bytes, at: int) -> bytes:
    """The same with one bit changed."""
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


@given(st.lists(payloads, max_size=4), workflow_ids)
async def test_what_goes_in_comes_out(given: Sequence[Payload], workflow_id: str) -> None:
    own = codec(workflow_id)
    encoded = await own.encode(given)
    assert len(encoded) == len(given)
    assert await own.decode(encoded) == list(given)
    for each in encoded:
        assert each.metadata[ENCODING] == ENCRYPTED
        assert (await own.open(each))[1].workflow_id == workflow_id


@given(st.binary(min_size=16, max_size=200))
async def test_nothing_of_it_can_be_read_and_no_two_are_alike(data: bytes) -> None:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=data)
    first, second = await sealed(payload), await sealed(payload)
    assert data not in first.data and b"json/plain" not in first.SerializeToString()
    assert first.data != second.data and first.data[:12] != second.data[:12]
    assert len(first.data) == 12 + payload.ByteSize() + 16


@given(payloads, st.data())
async def test_a_changed_byte_is_noticed(payload: Payload, draw: st.DataObject) -> None:
    found = await sealed(payload)
    where = draw.draw(st.sampled_from(["data", AT, WORKFLOW_ID]))
    value = found.data if where == "data" else found.metadata[where]
    other = changed(value, draw.draw(st.integers(0, len(value) - 1)))
    if where == "data":
        found.data = other
    else:
        found.metadata[where] = other
    with pytest.raises(Unreadable):
        await codec().decode([found])


@given(payloads, st.data())
async def test_what_is_cut_off_is_noticed(payload: Payload, draw: st.DataObject) -> None:
    found = await sealed(payload)
    found.data = found.data[: draw.draw(st.integers(0, len(found.data) - 1))]
    with pytest.raises(Unreadable):
        await codec().decode([found])


async def test_a_payload_cannot_be_given_to_another_workflow_or_key() -> None:
    found = await sealed(Payload(data=b"x"), one=ONE)
    for name, value in ((WORKFLOW_ID, b"product/mine"), (KEY_ID, b"two")):
        other = Payload()
        other.CopyFrom(found)
        other.metadata[name] = value
        with pytest.raises(Unreadable):
            await codec(one=ONE, two=ONE).decode([other])  # even where both ids have one and the same key
    del found.metadata[WORKFLOW_ID]
    with pytest.raises(Unreadable):
        await codec().decode([found])


async def test_after_a_rotation_what_is_old_is_read_and_what_is_new_has_the_new_key() -> None:
    payload = Payload(data=b"x")
    old = await sealed(payload, one=ONE)
    new = await sealed(payload, one=ONE, two=TWO)
    assert (old.metadata[KEY_ID], new.metadata[KEY_ID]) == (b"one", b"two")
    assert await codec(one=ONE, two=TWO).decode([old, new]) == [payload, payload]


async def test_a_missing_key_is_named_and_a_wrong_one_noticed() -> None:
    new = await sealed(Payload(data=b"x"), two=TWO)
    with pytest.raises(UnknownKey, match="the key 'two' that encrypted a payload: it has one") as told:
        await codec(one=ONE).decode([new])
    assert not told.value.final, "whatever needs the payload is retried"
    with pytest.raises(Unreadable, match="'two'"):
        await codec(two=ONE).decode([new])


async def test_what_was_never_encrypted_is_read_as_it_is() -> None:
    before = [Payload(metadata={"encoding": b"json/plain"}, data=b"1"), Payload()]
    assert await codec().decode(before) == before


@pytest.mark.parametrize("what", [KEY_ID, DATA_KEY])
async def test_what_only_pretends_to_be_ours_is_no_accident(what: str) -> None:
    """Metadata that name no key, or one of Vault where there is none."""
    found = await sealed(Payload(data=b"x"))
    if what == KEY_ID:
        del found.metadata[KEY_ID]
    else:
        found.metadata[DATA_KEY] = b"vault:v1:AAAA"
    before = found.SerializeToString(deterministic=True)
    with pytest.raises(UnknownKey):
        await codec().decode([found])
    assert found.SerializeToString(deterministic=True) == before, "a payload is not changed by reading it"


async def test_the_workflow_of_an_activity_is_that_of_its_payloads() -> None:
    context = ActivitySerializationContext("default", "1", None, None, "deployment/shop/web", None, False)
    own = codec().with_context(context)
    (found,) = await own.encode([Payload()])
    assert (await own.open(found))[1].workflow_id == "deployment/shop/web"


def test_keys_are_read_from_a_file_or_a_directory(tmp_path: Path) -> None:
    one, two = (base64.b64encode(each).decode() for each in (ONE, TWO))
    file = tmp_path / "keys"
    file.write_text(f"# made by hand\none: {one}\n\ntwo: {two}\n")
    mounted = tmp_path / "mounted"
    (mounted / "..2026").mkdir(parents=True)
    (mounted / "one").write_text(f"{one}\n")
    (mounted / "two").write_text(two)
    assert read_keys(file) == read_keys(mounted) == {"one": ONE, "two": TWO}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("one: c2hvcnQ=", "the key one is not base64 of 32 bytes"),
        ("one", "the key one is not base64"),
        ("one: $$$", "the key one is not base64"),
        (f"a/b: {base64.b64encode(ONE).decode()}", "the id of a key has letters"),
        (f"one: {base64.b64encode(ONE).decode()}\n" * 2, "stands twice"),
    ],
)
def test_a_bad_file_of_keys_stops_the_start_and_shows_no_key(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(ValueError, match=told) as error:
        read_keys(file)
    assert "c2hvcnQ" not in str(error.value)


@pytest.mark.parametrize(
    ("keys", "current", "told"),
    [
        ({}, "", "no key"),
        ({"one": ONE, "two": TWO}, "", "NAUTES_CODEC_CURRENT must name .* one, two"),
        ({"one": ONE}, "two", "NAUTES_CODEC_CURRENT is 'two', but the keys are one"),
    ],
)
def test_the_key_that_encrypts_must_be_known(keys: dict[str, bytes], current: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        FileKeys(keys, current)
