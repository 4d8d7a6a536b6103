"""Base of the values that travel through Temporal: immutable, tolerant of newer fields, no input values in error texts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Payload(BaseModel):
    """Base of everything that travels through Temporal. Additive only: new fields need defaults, none is renamed."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
