"""The connection to Temporal. Worker, API, sandbox and tests all use it, so that they encode payloads alike."""

from __future__ import annotations

import asyncio

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from nautes.clients.settings import Settings
from nautes.messages.errors import Unavailable

TIMEOUT = 60.0  # seconds a process waits for Temporal when it starts
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0


async def connect(settings: Settings, *, timeout: float = TIMEOUT) -> Client:
    """Connect, with back-off for as long as `timeout` seconds. Raises Unavailable."""
    loop = asyncio.get_running_loop()
    deadline, wait = loop.time() + timeout, FIRST_WAIT
    while True:
        try:
            return await Client.connect(
                settings.temporal_address,
                namespace=settings.temporal_namespace,
                data_converter=pydantic_data_converter,
            )
        except RuntimeError as error:
            if loop.time() > deadline:
                text = f"Temporal at {settings.temporal_address} cannot be reached"
                raise Unavailable("temporal-unavailable", text) from error
        await asyncio.sleep(wait)
        wait = min(2 * wait, LONGEST_WAIT)
