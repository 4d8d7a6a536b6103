"""What a cluster's namespace claims carry over continue-as-new. Used by workflows/claims.py and workflows/namespaces.py."""

from __future__ import annotations

import base64
import zlib

from pydantic import Field

from nautes.messages.claims import Claim, ClusterFacts, NamespacesInput, Reservation, Reserve
from nautes.resources.payload import Payload


class ClaimsState(Payload):
    """Who has what on one cluster."""

    claims: dict[str, Claim] = Field(default_factory=dict)  # by workflow id of the runtime
    reservations: dict[str, Reservation] = Field(default_factory=dict)  # by runtime, as claims
    environments: dict[str, list[str]] = Field(default_factory=dict)  # product path -> environments on this cluster
    reserving: dict[str, Reserve] = Field(default_factory=dict)  # product path -> what its last change added


class NamespacesStart(NamespacesInput):
    """Start of one run of `namespaces/<cluster>`: of the first one without facts and state.

    `packed` is the state, compressed: ten thousand claims as JSON (1.9 MB) are close to what Temporal takes as one payload,
    compressed in the order of their names they are 130 kB.
    """

    facts: ClusterFacts | None = None
    packed: str = ""

    @classmethod
    def of(cls, cluster: str, facts: ClusterFacts | None, state: ClaimsState) -> NamespacesStart:
        """The start of the next run."""
        ordered = state.model_copy(update={"claims": dict(sorted(state.claims.items()))})
        text = ordered.model_dump_json(exclude_defaults=True).encode()
        return cls(cluster=cluster, facts=facts, packed=base64.b85encode(zlib.compress(text)).decode())

    def state(self) -> ClaimsState:
        """The state as the run before left it."""
        if not self.packed:
            return ClaimsState()
        return ClaimsState.model_validate_json(zlib.decompress(base64.b85decode(self.packed)))
