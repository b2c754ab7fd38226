"""Lets activities happen through the bank's own verbs: announced, signed up for, scanned in and out, signed off."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from moralbank import clock, ids
from moralbank.activities import checkin, queries, service, signoff
from moralbank.activities.checkin import Scan
from moralbank.activities.errors import SignupClosed
from moralbank.activities.receipts import hash_of
from moralbank.activities.values import Direction, Means, Mode, Plan
from moralbank.approvals import service as approvals
from moralbank.demo.logins import WITH_PHONE
from moralbank.demo.neighbours import Neighbour
from moralbank.demo.programmes import Programme
from moralbank.demo.town import Town

_MEANS = {Mode.ROTATING: Means.ROTATING, Mode.POSTER: Means.POSTER}
#: Who comes, and how many in a hundred are like that.
_MANNERS = {"usual": 90, "forgets-out": 4, "leaves-early": 3, "comes-late": 2, "lends-phone": 1}
_TROUBLES = ("forgets-out", "lends-phone", "leaves-early", "only-out", "comes-late")
#: With so many points people take a rest.
_RESTS_FROM = 380
_REVERSED_DAYS_BEFORE = 40
#: The files' turnouts are those of so many residents.
_FULL_TOWN = 360


class Sittings:
    """All activities of the year, written into the town's diary."""

    def __init__(self, town: Town) -> None:
        self._town = town
        self._has_reversed = False

    def announce_all(self, programmes: list[Programme], opened_at: datetime) -> None:
        """Write into the diary when each is announced: a fortnight before its first sitting."""
        for programme in programmes:
            when = max(opened_at + timedelta(minutes=30), programme.sittings[0][0] - timedelta(days=14))
            self._town.diary.at(when, partial(self._announce, programme))

    def _announce(self, programme: Programme) -> None:
        town = self._town
        branch, staff = town.branches[programme.branch], town.staff[programme.branch]
        leader = next((one.resident_id for one in town.residents.values() if one.name == programme.leader), None)
        plan = Plan(
            title=programme.title,
            rule_code=programme.rule,
            branch_id=branch.branch_id,
            place=programme.place,
            description=programme.description,
            capacity=programme.capacity,
            mode=programme.mode,
            needs_signup=programme.needs_signup,
            leader_resident_id=leader,
            code=programme.code,
        )
        activity = service.create_activity(town.db, plan, actor=staff.actor("staff"), login_id=staff.login_id)
        for starts_at, ends_at in programme.sittings:
            session = service.add_session(town.db, activity.activity_id, starts_at, ends_at, programme.windows)
            gathers_at = max(clock.now(), starts_at - timedelta(days=5))
            town.diary.at(gathers_at, Sitting(town, programme, session.session_id, starts_at, ends_at).gather)
            if not programme.is_troubled:
                signs_at = session.out_until + timedelta(minutes=15)
                town.diary.at(signs_at, partial(self._sign_off, session.session_id, programme))
        service.publish_activity(town.db, activity.activity_id)
        last = programme.sittings[-1][1] + timedelta(days=3)
        town.diary.at(last, partial(service.close_activity, town.db, activity.activity_id))
        if programme.mode is Mode.POSTER:
            service.print_poster(town.db, session.session_id, actor=staff.actor("staff"))

    def _sign_off(self, session_id: int, programme: Programme) -> None:
        """Sign off for everybody who came, or call the sitting off when nobody did."""
        town = self._town
        session = queries.get_session(town.db, session_id)
        rows = signoff.roster(town.db, session)
        if not rows:
            service.cancel_session(town.db, session_id)
            return
        decisions = [signoff.Decision(row.resident.resident_id) for row in rows]
        done = signoff.sign_off(
            town.db, session_id, decisions, len(decisions), actor=town.staff_actor(programme.branch)
        )
        for award in done.awards:
            town.residents[award.resident_id].balance += award.points
        self._maybe_reverse(done, programme)

    def _maybe_reverse(self, done: signoff.SignOff, programme: Programme) -> None:
        """Let one award of the year have gone to the wrong person, which somebody notices two days later."""
        if self._has_reversed or self._town.now - clock.now() > timedelta(days=_REVERSED_DAYS_BEFORE):
            return
        for award in done.awards:
            holder = self._town.residents[award.resident_id]
            if award.kind == "attendance" and award.entry_id and holder.balance > award.points * 2 > 0:
                self._has_reversed = True
                holder.balance -= award.points
                noticed_at = clock.now() + timedelta(days=2)
                self._town.diary.at(noticed_at, partial(self._ask_reversal, award.entry_id, programme))
                return

    def _ask_reversal(self, entry_id: UUID, programme: Programme) -> None:
        """Let the station ask, and somebody of the hub look at it five hours later."""
        town = self._town
        asker = approvals.hand_of(town.staff[programme.branch], "staff")
        asked = approvals.ask_reversal(town.db, asker, town.book, entry_id, "签到人登记错，已改正")
        checker = approvals.hand_of(town.admin, "admin")
        later = clock.now() + timedelta(hours=5)
        town.diary.at(later, partial(approvals.approve, town.db, checker, asked.request_id))


class Sitting:
    """One sitting: who comes to it, and how they behave."""

    def __init__(
        self, town: Town, programme: Programme, session_id: int, starts_at: datetime, ends_at: datetime
    ) -> None:
        self._town = town
        self._programme = programme
        self._session_id = session_id
        self._starts_at = starts_at
        self._ends_at = ends_at

    def gather(self) -> None:
        """Choose who comes; they sign up in the days before and scan on the day."""
        random = self._town.random
        shift = random.choice((-1, 0, 0, 0, 1, 1))
        coming = self._choose(self._turnout() + shift)
        for person in coming:  # All of them before anybody lends a phone, or they might be lent it.
            person.busy.append((self._starts_at, self._ends_at))
        for place, person in enumerate(coming):
            if self._programme.needs_signup or random.random() < 0.3:
                ahead = max(timedelta(hours=1), self._starts_at - clock.now() - timedelta(hours=2))
                self._town.diary.at(clock.now() + ahead * random.random(), partial(self._sign_up, person))
            if self._programme.is_troubled and place < len(_TROUBLES):
                manner = _TROUBLES[place]
            else:
                [manner] = random.choices(list(_MANNERS), list(_MANNERS.values()))
            self._come_and_go(person, manner)

    def _turnout(self) -> int:
        """Return how many usually come, fewer in a small town; a troubled sitting needs one of every kind."""
        usual = self._programme.turnout * len(self._town.neighbours) // _FULL_TOWN
        return max(usual, len(_TROUBLES) + 1 if self._programme.is_troubled else 3)

    def _choose(self, number: int) -> list[Neighbour]:
        random = self._town.random
        chances = {
            person: person.eagerness * (5 if person.branch == self._programme.branch else 1)
            for person in self._town.residents.values()
            if person.eagerness
            and person.balance < _RESTS_FROM
            # Whom the demonstration's card names is free for what is on now: the visitor checks them in.
            and not (person.name == WITH_PHONE and self._ends_at > self._town.now)
            and not any(begin < self._ends_at and end > self._starts_at for begin, end in person.busy)
        }
        chosen: list[Neighbour] = []
        while chances and len(chosen) < number:
            [person] = random.choices(list(chances), list(chances.values()))
            del chances[person]
            chosen.append(person)
        return chosen

    def _sign_up(self, person: Neighbour) -> None:
        try:
            service.sign_up(self._town.db, self._session_id, person.resident_id)
        except SignupClosed:
            person.busy.remove((self._starts_at, self._ends_at))

    def _come_and_go(self, person: Neighbour, manner: str) -> None:
        random, diary = self._town.random, self._town.diary
        comes_at = self._starts_at + timedelta(minutes=random.randint(-15, 6), seconds=random.randint(0, 59))
        leaves_at = self._ends_at + timedelta(minutes=random.randint(-4, 12), seconds=random.randint(0, 59))
        if manner == "leaves-early":
            comes_at, leaves_at = self._starts_at + timedelta(minutes=28), self._ends_at - timedelta(minutes=29)
        if manner == "comes-late":
            comes_at = self._starts_at + timedelta(minutes=50)
        why = "路上耽误了，组织者当面看到本人" if manner == "comes-late" else None
        phone = "lent" if manner == "lends-phone" else str(person.resident_id)
        if manner == "lends-phone":
            # A second person scans with the same phone a minute later.
            first = self._choose(1)
            for other in first:
                other.busy.append((self._starts_at, self._ends_at))
                diary.at(comes_at - timedelta(minutes=1), partial(self._scan, other, Direction.IN, phone=phone))
                diary.at(leaves_at, partial(self._scan, other, Direction.OUT, phone=phone))
        if manner != "only-out":
            diary.at(comes_at, partial(self._scan, person, Direction.IN, phone=phone, why=why))
        if manner != "forgets-out":
            diary.at(leaves_at, partial(self._scan, person, Direction.OUT, phone=phone))

    def _scan(self, person: Neighbour, direction: Direction, *, phone: str, why: str | None = None) -> None:
        """Scan with the person's phone, or have the desk scan their card."""
        means = _MEANS.get(self._programme.mode)
        by_phone = means is not None and person.phone is not None and person.login_id is not None and why is None
        checkin.check_in(
            self._town.db,
            Scan(
                session_id=self._session_id,
                resident_id=person.resident_id,
                means=means if by_phone and means else Means.DESK_CARD,
                nonce=f"demo:{ids.token(12)}",
                actor=f"resident:{person.login_id}" if by_phone else self._town.staff_actor(self._programme.branch),
                direction=direction,
                device=hash_of(f"demo:{self._session_id}:{phone}") if by_phone else None,
                override=why,
            ),
        )
