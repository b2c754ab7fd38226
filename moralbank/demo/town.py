"""What every part of the demonstration shares while it is loaded: the connection, the people, the staff, the diary."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from sqlalchemy import Connection

from moralbank.access.queries import Principal
from moralbank.branches.queries import Branch
from moralbank.demo.diary import Diary
from moralbank.demo.neighbours import Neighbour


@dataclass(slots=True)
class Town:
    """The district while its history is lived."""

    db: Connection
    random: Random
    diary: Diary
    #: The instant at which the history ends: now.
    now: datetime
    branches: dict[str, Branch]
    book: int
    admin: Principal
    #: By the code of their branch.
    staff: dict[str, Principal]
    neighbours: list[Neighbour]
    #: Those who are enrolled by now, by resident_id.
    residents: dict[int, Neighbour] = field(default_factory=dict)

    def staff_actor(self, branch: str) -> str:
        return self.staff[branch].actor("staff")
