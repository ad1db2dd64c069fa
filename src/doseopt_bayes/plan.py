"""What identifies a pre-specified analysis, for the stamps on its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from doseopt_bayes.data.columns import CountColumns, PatientColumns

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """The words, the data roles and the fingerprint of a specification.

    Parameters
    ----------
    id, version, title, question
        Name, version, and in words what is asked and in which context.
    source
        File of the data beside the specification, ``"dataset:NAME"`` for a shipped one, or empty
        when the data come with the call.
    columns
        Column roles of the data; the model's doses and unit are already in it.
    endpoints
        What an event of each endpoint is, in words, for tables and figures.
    file
        Path that it was read from.
    hash
        SHA-256 over the parsed content: comments, order and layout do not count.
    name
        Name that the file had when it was run; by default that of `file`.
    """

    id: str
    version: str
    title: str
    question: str
    source: str
    columns: PatientColumns | CountColumns | None
    endpoints: Mapping[str, str]
    file: Path
    hash: str
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name or self.file.name)
