"""What is wrong with a declaration, as data: parsers and rules return it, the API and the workflows report it."""

from __future__ import annotations

from pydantic import BaseModel


class Finding(BaseModel, frozen=True):
    """One thing that is wrong with a declaration: where (JSON pointer), which rule, what, and how to mend it."""

    rule: str
    message: str
    pointer: str = ""
    hint: str = ""
    resource: str = ""  # "<Kind>/<name>", empty when the finding is about the document as such
    line: int | None = None
    column: int | None = None
