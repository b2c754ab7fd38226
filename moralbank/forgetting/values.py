"""On what ground somebody is forgotten, who may ask for it, and what was taken away. Knows no database."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum

#: A request that nobody decided in this time has lapsed: what it was checked against may be so no longer.
LASTS = timedelta(hours=72)


class Ground(StrEnum):
    """Source: PIPL art. 47 (1) numbers 1 to 5, and art. 49 for next of kin."""

    PURPOSE = "pipl-47-1"
    ENDED = "pipl-47-2"
    WITHDRAWN = "pipl-47-3"
    UNLAWFUL = "pipl-47-4"
    OTHER_LAW = "pipl-47-5"
    KIN = "pipl-49"


class AskedBy(StrEnum):
    """Who asked for it."""

    SELF = "self"
    GUARDIAN = "guardian"
    KIN = "kin"


class Proof(StrEnum):
    """How they proved who they are; no number of a document is kept."""

    IDENTITY_CARD = "identity-card"
    CARD_AND_PIN = "card-and-pin"
    KNOWN = "known"
    DOCUMENTS = "documents"


class Points(StrEnum):
    """What becomes of points that are left, as the person chose in writing."""

    NONE = "none"
    DONATE = "donate"
    #: Given up: they stay on the account that is nobody's any more, where none can spend them, and each lot expires on
    #: its own day like any other (docs/decisions/0017-giving-up-points.md).
    LEAVE = "leave"


class State(StrEnum):
    ASKED = "asked"
    REFUSED = "refused"
    LAPSED = "lapsed"
    DONE = "done"


def fits(ground: Ground, asked_by: AskedBy) -> bool:
    """Tell whether this person may ask on this ground."""
    return (ground is Ground.KIN) == (asked_by is AskedBy.KIN)


@dataclass(frozen=True, slots=True)
class Removal:
    """How much is taken away, by what it is."""

    donated_points: int
    given_up_points: int
    cards: int
    consents: int
    logins: int
    sessions: int
    signups: int
    scans: int
    memos: int
    notes: int
    roster_rows: int
    answers: int
    payment_codes: int
    outside_names: int
    messages: int
    notices: int

    def counted(self) -> dict[str, int]:
        return {name: count for name, count in asdict(self).items() if count}
