"""The words of activities as immutable values; what crosses the package's border is made of these."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID


class Status(StrEnum):
    """How far an activity has got; sign-up and check-in need it published."""

    DRAFT = "draft"
    PUBLISHED = "published"
    CANCELLED = "cancelled"
    CLOSED = "closed"


class State(StrEnum):
    """How far a session has got."""

    OPEN = "open"
    SIGNED_OFF = "signed_off"
    CANCELLED = "cancelled"


class Mode(StrEnum):
    """What residents scan themselves; the desk is always open beside it."""

    ROTATING = "rotating"
    POSTER = "poster"
    DESK = "desk"
    #: Who is helped holds the code, at home.
    BENEFICIARY = "beneficiary"


class Means(StrEnum):
    """How one scan came in. PLANNED_END is no scan: the check-out nobody made."""

    ROTATING = "rotating"
    POSTER = "poster"
    DESK_CARD = "desk-card"
    DESK_PHOTO = "desk-photo"
    DESK_DIGITS = "desk-digits"
    BENEFICIARY = "beneficiary"
    HELPED_CARD = "helped-card"
    PAPER = "paper"
    PLANNED_END = "planned-end"


class Direction(StrEnum):
    IN = "in"
    OUT = "out"


class Doubt(StrEnum):
    """Why the leader must look at a person before signing off, in the order they are listed."""

    OVERLAP = "overlap"
    SAME_DEVICE = "same-device"
    ACTED = "acted"
    OVERRIDE = "override"
    POSTER = "poster"
    HELPED = "helped"
    NO_IN = "no-in"
    NO_OUT = "no-out"
    NO_ANSWER = "no-answer"
    NEWCOMER = "newcomer"
    SHORT = "short"


@dataclass(frozen=True, slots=True)
class Windows:
    """Minutes around the planned start and end in which scans count."""

    in_before: int = 30
    in_after: int = 30
    out_before: int = 30
    out_after: int = 60


@dataclass(frozen=True, slots=True)
class Plan:
    """What is needed to create or edit an activity; what makes no sense is refused by the service."""

    title: str
    rule_code: str
    branch_id: int
    place: str
    description: str = ""
    #: None: everybody who comes is welcome.
    capacity: int | None = None
    mode: Mode = Mode.ROTATING
    needs_signup: bool = False
    leader_resident_id: int | None = None
    #: None: the bank gives one.
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    activity_id: int
    code: str
    title: str
    rule_code: str
    branch_id: int
    place: str
    description: str
    leader_login_id: int | None
    leader_resident_id: int | None
    capacity: int | None
    mode: Mode
    needs_signup: bool
    status: Status


@dataclass(frozen=True, slots=True)
class Session:
    """One dated sitting, with the activity it belongs to."""

    session_id: int
    activity: Activity
    starts_at: datetime
    ends_at: datetime
    windows: Windows
    state: State
    head_count: int | None
    signed_off_by: str | None
    signed_off_at: datetime | None

    @property
    def planned_minutes(self) -> int:
        return int((self.ends_at - self.starts_at).total_seconds()) // 60

    @property
    def in_from(self) -> datetime:
        return self.starts_at - timedelta(minutes=self.windows.in_before)

    @property
    def in_until(self) -> datetime:
        return self.starts_at + timedelta(minutes=self.windows.in_after)

    @property
    def out_from(self) -> datetime:
        return self.ends_at - timedelta(minutes=self.windows.out_before)

    @property
    def out_until(self) -> datetime:
        return self.ends_at + timedelta(minutes=self.windows.out_after)

    @property
    def takes_scans(self) -> bool:
        return self.state is State.OPEN and self.activity.status is Status.PUBLISHED


@dataclass(frozen=True, slots=True)
class SessionCount:
    """A session in a list, with how many are coming and how many came."""

    session: Session
    going: int
    waiting: int
    present: int

    @property
    def places_left(self) -> int | None:
        capacity = self.session.activity.capacity
        return None if capacity is None else max(0, capacity - self.going)


@dataclass(frozen=True, slots=True)
class Signup:
    session_id: int
    resident_id: int
    #: "going", "waiting" or "cancelled".
    state: str
    signed_up_at: datetime
    #: The resident who did it for them, if anybody.
    signed_up_by: int | None = None


@dataclass(frozen=True, slots=True)
class CheckIn:
    """One counted scan."""

    checkin_id: int
    session_id: int
    resident_id: int
    direction: Direction
    visit_no: int
    nonce: str
    at: datetime
    means: Means
    is_pending: bool
    doubt: Doubt | None
    reason: str | None
    actor: str
    device: str | None


@dataclass(frozen=True, slots=True)
class Receipt:
    """That somebody's browser scanned a good code at an instant; it becomes a check-in once they say who
    they are.
    """

    receipt_id: str
    session_id: int
    station: int
    #: None: by the person's state.
    direction: Direction | None
    means: Means
    scanned_at: datetime
    expires_at: datetime
    used_by: int | None


@dataclass(frozen=True, slots=True)
class Poster:
    serial: int
    session_id: int
    printed_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Award:
    """What a session brought one person. kind: "attendance", "leading" or "first-service"."""

    session_id: int
    resident_id: int
    kind: str
    present_minutes: int
    service_minutes: int
    points: int
    surplus_points: int
    grade: str
    capped_by: tuple[str, ...]
    is_review: bool
    #: The earning reason, or the code of the error that refused the entry.
    reason: str
    occurred_on: date
    entry_id: UUID | None
