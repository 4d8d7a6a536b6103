"""The connection to Temporal. Worker, API, measurements and tests all use it, so that they encode payloads alike.

Address, namespace, TLS and API key come from Temporal's own settings: the variables TEMPORAL_* and the profile file that the
`temporal` command and every SDK read (temporalio.envconfig). docs/temporal.md shows them.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from temporalio.api.failure.v1 import Failure
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.envconfig import ClientConfigProfile, ClientConnectConfig

from nautes.clients.codec import Codec
from nautes.clients.keys import DataKeys, FileKeys, Keyring, read_keys
from nautes.clients.settings import Settings
from nautes.clients.vault import Vault
from nautes.messages.errors import Unavailable
from nautes.telemetry import tracing

TIMEOUT = 60.0  # seconds a process waits for Temporal when it starts
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0
ADDRESS = "localhost:7233"  # as every tool of Temporal, when nothing names another
FILE = "TEMPORAL_CONFIG_FILE"


async def connect(
    settings: Settings, *, timeout: float = TIMEOUT, environment: Mapping[str, str] | None = None
) -> Client:
    """Connect, with back-off for as long as `timeout` seconds. Raises Unavailable, and ValueError for settings that are wrong.

    `environment` holds Temporal's own settings; that of this process by default.
    """
    given, converter = options(environment), data_converter(settings)
    address = given.setdefault("target_host", ADDRESS)
    loop = asyncio.get_running_loop()
    deadline, wait = loop.time() + timeout, FIRST_WAIT
    while True:
        try:
            return await Client.connect(data_converter=converter, plugins=tracing.plugins(), **given)
        except RuntimeError as error:
            if loop.time() > deadline:
                text = f"Temporal at {address} cannot be reached: {error}"
                raise Unavailable("temporal-unavailable", text) from error
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)


def options(environment: Mapping[str, str] | None = None) -> ClientConnectConfig:
    """What the environment and the profile file say of the connection. Raises ValueError."""
    given = dict(os.environ if environment is None else environment)
    if given.get(FILE) and not Path(given[FILE]).exists():  # the SDK would go on without it, to another server
        raise ValueError(f"{FILE} names {given[FILE]}, which does not exist")
    try:
        profile = ClientConfigProfile.load(config_file_strict=True, override_env_vars=given)
        if not profile.api_key:  # an empty one is none: it would switch TLS on
            profile = dataclasses.replace(profile, api_key=None)
        return profile.to_client_connect_config()
    except (RuntimeError, OSError) as error:
        raise ValueError(f"the settings of the connection to Temporal are wrong: {error}") from error


def data_converter(settings: Settings) -> DataConverter:
    """Pydantic models as JSON; encrypted when there are keys, the messages of failures included."""
    keys = keyring(settings)
    if keys is None:
        return pydantic_data_converter
    return encrypted(keys)


def encrypted(keys: Keyring) -> DataConverter:
    """The converter with these keys."""
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=Codec(keys),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


def keyring(settings: Settings) -> Keyring | None:
    """The keys that the settings name, None without any: then nothing is encrypted."""
    files = data = None
    if settings.codec_keys_file:
        files = FileKeys(read_keys(settings.codec_keys_file), settings.codec_current)
    if settings.codec_transit:
        vault = Vault(settings.vault_addr, settings.vault_role_id, settings.vault_secret_id, settings.request_seconds)
        data = DataKeys(vault, settings.codec_transit, settings.codec_data_key_seconds)
    return Keyring(files, data) if files or data else None


async def message_of(failure: Failure, converter: DataConverter) -> str:
    """The message of a failure, which the codec moves into an encrypted payload."""
    if not failure.HasField("encoded_attributes"):
        return failure.message
    (found,) = await converter.decode([failure.encoded_attributes])
    return str(found["message"])
