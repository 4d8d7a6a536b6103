"""Record samples of every payload of this release: `python -m tests.samples.record`, by hand, when a payload has changed.

What is recorded stays: an older build may have written what has another form today, and every newer one reads it.
`--anew` begins this release's samples again: for forms that never left the machine of a developer.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from tests.samples.examples import examples, written
from tests.samples.payloads import payloads
from workflows.claims_state import ClaimsState, NamespacesStart

HERE = Path(__file__).parent
PACKED = "NamespaceClaims.packed"  # the first sample of this state, as it travels
ROOT = HERE.parents[1]

Samples = dict[str, list[Any]]  # by name of the payload


def release() -> str:
    """The version that is being made."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def releases() -> list[str]:
    """Those that have samples."""
    return sorted(each.name for each in HERE.iterdir() if each.is_dir() and any(each.glob("*.json")))


def recorded(of: str) -> Samples:
    """The samples of a release; none before the first are recorded."""
    found: Samples = {}
    for file in sorted((HERE / of).glob("*.json")):
        found |= json.loads(file.read_text())
    return found


def today() -> Samples:
    """What the code of today sends."""
    return {name: [written(each) for each in examples(kind)] for name, kind in payloads().items()}


def missing(now: Samples, known: Samples) -> Samples:
    """Samples of today that are not recorded."""
    found = {name: [each for each in samples if each not in known.get(name, [])] for name, samples in now.items()}
    return {name: samples for name, samples in found.items() if samples}


def main(arguments: list[str]) -> None:
    """Add what is missing."""
    known = {} if "--anew" in arguments else recorded(release())
    for name, samples in missing(today(), known).items():
        known[name] = [*known.get(name, []), *samples]
    by_file: dict[str, Samples] = {}
    for name, samples in sorted(known.items()):
        by_file.setdefault(name.partition("/")[0].partition(".")[0], {})[name] = samples
    (HERE / release()).mkdir(exist_ok=True)
    packed = HERE / release() / PACKED
    if not packed.exists() or "--anew" in arguments:
        state: ClaimsState = examples(ClaimsState)[0]
        packed.write_text(f"{NamespacesStart.of('edge', None, state).packed}\n")
    for file, samples in by_file.items():
        (HERE / release() / f"{file}.json").write_text(json.dumps(samples, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
