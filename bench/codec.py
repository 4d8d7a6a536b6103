"""What the payload codec costs per payload: encoding and decoding in one event loop, with one key. No server is needed.

`python bench/codec.py`. Every use has the workflow it is for as its context, as in the SDK. The last line is JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import time

from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, PayloadCodec, WorkflowSerializationContext

from nautes.clients.keys import FileKeys, Keyring
from nautes.clients.temporal import encrypted

SIZES = (256, 4 << 10, 64 << 10, 256 << 10)  # bytes; a payload of ours stays under 256 KiB
TIMES = 1_000
AT_MOST = 0.001  # seconds for a payload of 4 KiB, both ways: the event loop of a worker waits that long


async def measured(size: int) -> tuple[float, float, int]:
    """Seconds to encode and to decode one payload of `size` bytes, and the bytes it grows by."""
    converter = encrypted(Keyring(FileKeys({"first": os.urandom(32)})))
    payload = Payload(metadata={"encoding": b"json/plain"}, data=os.urandom(size))
    context = WorkflowSerializationContext("default", "deployment/shop/web")
    began = time.perf_counter()
    encoded = [(await _codec(converter.with_context(context)).encode([payload]))[0] for _ in range(TIMES)]
    half = time.perf_counter()
    for each in encoded:
        await _codec(converter.with_context(context)).decode([each])
    ended = time.perf_counter()
    return (half - began) / TIMES, (ended - half) / TIMES, encoded[0].ByteSize() - payload.ByteSize()


def _codec(converter: DataConverter) -> PayloadCodec:
    assert converter.payload_codec is not None
    return converter.payload_codec


async def main() -> int:
    """Print a table; 1 when a small payload takes too long."""
    print(f"{'payload':>10}{'encode':>10}{'decode':>10}{'grows by':>12}")
    found = {size: await measured(size) for size in SIZES}
    for size, (encode, decode, grown) in found.items():
        print(f"{size:>8} B{encode * 1e6:>7.0f} us{decode * 1e6:>7.0f} us{grown:>10} B")
    print(
        json.dumps(
            {size: {"encode_us": round(e * 1e6), "decode_us": round(d * 1e6)} for size, (e, d, _) in found.items()}
        )
    )
    encode, decode, _ = found[4 << 10]
    return int(encode + decode > AT_MOST)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
