"""Places with one of everything in each, for the walk over all routes.

`home` is where the walkers hold their roles, `hub` the hub above it, `bank` all of it; `sibling` is another station of
that hub, so of the same book; `stranger` has another hub and another book, and everybody and every shop there bears the
name STRANGER. (What activities there are is public.)
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import Connection

from moralbank import clock, ids, ledger
from moralbank.access import queries as access
from moralbank.access import service as access_service
from moralbank.access.service import GrantDraft
from moralbank.activities import calendars, devices, helped, late, offline, reviews, signoff, spots
from moralbank.activities import service as activities
from moralbank.activities.late import Late
from moralbank.activities.offline import Batch, Kept
from moralbank.activities.values import Mode, Plan, Session
from moralbank.approvals import service as approvals
from moralbank.approvals.service import Hand
from moralbank.behalf import service as behalf
from moralbank.behalf.service import Appointment
from moralbank.behalf.values import Basis, Limits, Scope
from moralbank.branches.queries import Branch
from moralbank.certificates import facts
from moralbank.certificates import service as certificates
from moralbank.earning import load_rules, packaged_rules
from moralbank.forgetting import service as forgettings
from moralbank.forgetting.service import Asked
from moralbank.forgetting.values import AskedBy, Ground, Points, Proof
from moralbank.merchants import drafts
from moralbank.merchants import service as merchants
from moralbank.merchants.queries import Merchant, get_merchant
from moralbank.merchants.service import MerchantDetails, OfferDetails
from moralbank.redemptions import codes, phone_orders, vouchers, zreports
from moralbank.redemptions import service as redemptions
from moralbank.redemptions.numbers import Means
from moralbank.redemptions.orders import Order, Till
from moralbank.residents import importing
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.residents.queries import Resident
from moralbank.residents.values import Consent
from moralbank.settlements import service as settlements
from moralbank.statements import prints
from moralbank.statements.periods import read_period
from moralbank.teams import service as teams
from moralbank.transparency import Log, append_fact
from tests._people import MadeLogin, make_branch_tree, make_login
from tests.access._door import door_things
from tests.access._told import told
from tests.logbook._signed import seal, sign

STRANGER = "外客"
ROLES = ("resident", "operator", "helper", "staff", "auditor", "admin")


@dataclass(frozen=True)
class Place:
    """One of everything that a route can name, at one branch."""

    branch: Branch
    #: Who walks, by role.
    walkers: dict[str, MadeLogin]
    resident: Resident
    #: What a parameter stands for: nobody who walks, so that suspending or resetting it stops no walk.
    values: dict[str, Any]


def make_world(db: Connection) -> dict[str, Place]:
    """Make the places."""
    tree = make_branch_tree(db)
    load_rules(db, packaged_rules(), actor="system", consultation="居民议事会通过")
    hub = _furnished(db, tree["NS-00"], "王", 4)
    root = make_login(db, "admin", None)
    places = {
        "bank": replace(hub, walkers=hub.walkers | {"admin": root}),
        "hub": hub,
        "home": _furnished(db, tree["NS-01"], "张", 1),
        "sibling": _furnished(db, tree["NS-02"], "李", 2),
        "stranger": _furnished(db, tree["XX-01"], STRANGER, 3),
    }
    for book in (tree["NS-00"].book_id, tree["XX-00"].book_id):
        for log in Log:
            append_fact(db, book, log, "walk", {})
            sign(db, book, log, seal(db, book, log))
    return places


def _furnished(db: Connection, branch: Branch, name: str, n: int) -> Place:
    """Make a place, and tell its people something."""
    place = _place(db, branch, name, n)
    shared = {"shared_account": get_merchant(db, place.values["merchant_id"]).account_id}
    return replace(place, values=place.values | told(db, branch, place.resident) | shared)


def _place(db: Connection, branch: Branch, name: str, n: int) -> Place:
    whole = Person(f"{name}桂英", branch.branch_id, f"1380000000{n}", born_on=date(1960, 1, 1), sex="female")
    resident = residents.enrol(db, whole, actor="system")
    neighbour = residents.enrol(db, Person(f"{name}秀兰", branch.branch_id), actor="system")
    entry_id = _give_points(db, resident)
    details = MerchantDetails(f"{name}记粮店", "便利店", f"{name}老板", f"1390000000{n}", "donated")
    shop = merchants.add_merchant(db, branch, f"M00{n}", details, status="active")
    offer = merchants.add_offer(db, shop.merchant_id, f"O00{n}", OfferDetails(f"{name}记大米", 10, 60, 5, 500))
    walkers = _walkers(db, branch, shop, resident)
    plan = Plan("河岸清洁", "V01", branch.branch_id, "河边", leader_resident_id=neighbour.resident_id)
    activity = activities.create_activity(db, plan, actor="system")
    starts_at = clock.now() + timedelta(days=2)
    session = activities.add_session(db, activity.activity_id, starts_at, starts_at + timedelta(hours=2))
    activities.publish_activity(db, activity.activity_id)
    poster = activities.print_poster(db, session.session_id, actor="system")
    till = Till(shop.merchant_id, walkers["operator"].login_id, "till")
    paid = Order(offer.offer_id, None, Means.CODE, codes.issue_code(db, resident.resident_id).number)
    receipt = redemptions.charge(db, till, paid, ids.token(12))
    voucher = vouchers.reserve(db, resident.resident_id, offer.offer_id, ids.token(8), actor="system")
    sticker = phone_orders.add_sticker(db, shop.merchant_id, till.operator_id)
    token = phone_orders.sign(db, sticker)
    large = Order(None, 5, Means.CODE, codes.issue_code(db, resident.resident_id).number)
    order = phone_orders.ask_phone(db, till, large, ids.token(12))
    assert isinstance(order, phone_orders.PhoneOrder)
    zreport = zreports.close_day(db, shop.merchant_id, actor=till.actor)
    settlement_id, dispute_id = _settle(db, shop, till, resident)
    spare = access_service.open_login(db, f"spare-{n}", f"{name}备用", [GrantDraft("staff", branch.branch_id)], by=None)
    grant_id = access.get_login(db, spare.login_id).grants[0].grant_id
    maker = Hand(f"staff:{spare.login_id}", spare.login_id, f"{name}备用")
    adjustment = approvals.ask_adjustment(db, maker, neighbour.resident_id, 5, "补记上周的搬运")
    return Place(
        branch,
        walkers,
        resident,
        {
            **_helped(db, session),
            **_behalf(db, walkers, resident, neighbour, n),
            "account": neighbour.account_id,
            "activity_id": activity.activity_id,
            "session_id": session.session_id,
            "serial": poster.serial,
            "book": {"NS": "NS-00", "XX": "XX-00"}[branch.code[:2]],
            "branch_code": branch.code,
            "branch_id": branch.branch_id,
            "certificate_id": _certify(db, resident, session.session_id),
            "charge_id": receipt.charge_id,
            "dispute_id": dispute_id,
            "entry_id": entry_id,
            "fact_id": _note_fact(db, neighbour),
            "forgetting_id": _ask_to_forget(db, branch, name, spare.login_id),
            "grant_id": grant_id,
            "import_id": _roster(db, branch),
            "late_id": _late_entry(db, activity.activity_id, neighbour, maker),
            "draft_id": _draft(db, shop),
            "login_id": spare.login_id,
            "merchant_id": shop.merchant_id,
            "offer_id": offer.offer_id,
            "print_id": _print(db, branch),
            "order_id": order.order_id,
            "pay_token": token,
            "request_id": adjustment.request_id,
            "resident_id": neighbour.resident_id,
            **door_things(db, branch, shop, resident, _phone(db, branch, session.session_id)),
            "secret": calendars.make_address(db, neighbour.resident_id),
            "settlement_id": settlement_id,
            "voucher_id": voucher.voucher_id,
            "zreport_id": zreport.zreport_id,
            "spot_id": _spot_check(db, session),
        },
    )


def _team(db: Connection, contact: Resident) -> int:
    """Open a team about which the walking resident is asked."""
    return teams.open_team(db, contact.branch_id, f"{contact.name}清洁队", contact.number, actor="staff:1").team_id


def _walkers(db: Connection, branch: Branch, shop: Merchant, resident: Resident) -> dict[str, MadeLogin]:
    """Open a login for each role at the branch."""
    return {
        role: make_login(
            db,
            role,
            branch,
            shop.merchant_id if role == "operator" else None,
            resident.resident_id if role == "resident" else None,
        )
        for role in ROLES
    }


def _behalf(
    db: Connection, walkers: dict[str, MadeLogin], resident: Resident, neighbour: Resident, n: int
) -> dict[str, Any]:
    """Let the walking resident act for a neighbour as family, and both resident and helper for somebody on paper."""
    me = access.get_login(db, walkers["resident"].login_id)
    family = behalf.link_family(db, me, neighbour.resident_id, Basis.PAPER, actor="system")
    old = residents.enrol(db, Person(f"{neighbour.name[:-2]}奶奶", neighbour.branch_id), actor="system")
    today = clock.today()
    made = {
        role: behalf.appoint(
            db,
            Appointment(
                old.resident_id,
                who,
                "",
                Scope(),
                Limits(10, 20, 30),
                today,
                "代办夹第 1 页",
                today + timedelta(days=30),
            ),
            by=None,
            actor="system",
        ).link.link_id
        for role, who in (("resident", resident.number), ("helper", walkers["helper"].name or ""))
    }
    ids_of_links = {"link_id": family.link_id, "helping_id": made["helper"], "resident_helping_id": made["resident"]}
    return ids_of_links | {"team_id": _team(db, resident)}


def _draft(db: Connection, shop: Merchant) -> int:
    """Let the shop submit an offer that its station has not looked at."""
    clerk = Hand("operator:0", 0, "店员")
    made = drafts.write_new(db, clerk, shop.merchant_id, OfferDetails(f"{shop.name}的新米", 20, 5, 1, 0), None)
    return drafts.submit(db, clerk, made.draft_id).draft_id


def _late_entry(db: Connection, activity_id: int, neighbour: Resident, maker: Hand) -> int:
    """Ask that the neighbour be credited for a session of yesterday, of which nobody's scan is on record."""
    start = clock.now() - timedelta(days=1)
    session = activities.add_session(db, activity_id, start, start + timedelta(hours=2))
    signoff.sign_off(db, session.session_id, [], 0, actor="system")
    wanted = (session.session_id, neighbour.resident_id, session.starts_at, session.ends_at)
    return late.ask_late_entry(db, maker, Late(*wanted, "手机没电", "签名表第 3 行")).late_id


def _helped(db: Connection, session: Session) -> dict[str, Any]:
    """Write down somebody who is helped in a session, which is held at their home for that moment."""
    held = session.activity
    plan = Plan(held.title, held.rule_code, held.branch_id, held.place, leader_resident_id=held.leader_resident_id)
    activities.edit_activity(db, held.activity_id, replace(plan, mode=Mode.BENEFICIARY))
    one, secret = helped.add_helped(db, session.session_id, label="奶奶")
    activities.edit_activity(db, held.activity_id, plan)
    return {"helped_id": one.helped_id, "page_secret": secret}


def _spot_check(db: Connection, session: Session) -> int:
    """Ask who is there when the session begins."""
    with clock.at(session.starts_at):
        return spots.open_spot_check(db, session.session_id, actor="system").spot_id


def _settle(db: Connection, shop: Merchant, till: Till, resident: Resident) -> tuple[int, int]:
    """Settle last month, in which an umbrella was lent for nothing, and ask about it."""
    last_day = clock.today().replace(day=1) - timedelta(days=1)
    umbrella = merchants.add_offer(db, shop.merchant_id, "U001", OfferDetails("雨伞借用一次", 0, 60, 5, 0))
    with clock.at(clock.start_of(last_day)):
        order = Order(umbrella.offer_id, None, Means.CODE, codes.issue_code(db, resident.resident_id).number)
        redemptions.charge(db, till, order, ids.token(12))
    ledger.close_day(db, shop.book_id, last_day)
    [settlement] = settlements.settle(db, shop, last_day.replace(day=1), actor="system")
    asked = settlements.raise_dispute(db, settlement.settlement_id, 1, "伞没有还", actor="system")
    return settlement.settlement_id, asked.dispute_id


def _phone(db: Connection, branch: Branch, session_id: int) -> tuple[int, int]:
    """Register a phone of the desk, and let it have kept a scan of a card that is nobody's."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    text = base64.urlsafe_b64encode(point).rstrip(b"=").decode()
    device = devices.register(db, text, name="phone", branch_id=branch.branch_id, actor="system")
    nonce, now = str(uuid4()), clock.now()
    kept = Kept(nonce, session_id, f"70{branch.branch_id:022d}", None, now, 1, "0" * 64)
    offline.take_batch(db, Batch(device, now, [kept]), {branch.branch_id}, actor="system")
    [waiting] = reviews.list_reviews(db, [branch.branch_id])
    return device.device_id, waiting.scan_id


def _note_fact(db: Connection, resident: Resident) -> int:
    """Note a skill of somebody who agreed to be on record."""
    residents.give_consent(db, resident.resident_id, Consent.RECORD, actor="system")
    facts.note(db, resident.resident_id, "skill", clock.today(), "理发", actor="system")
    return facts.list_facts(db, resident.resident_id)[0].fact_id


def _ask_to_forget(db: Connection, branch: Branch, name: str, login_id: int) -> int:
    """Ask that somebody be forgotten who has nothing."""
    leaver = residents.enrol(db, Person(f"{name}要走", branch.branch_id), actor="system")
    wish = Asked(Ground.WITHDRAWN, AskedBy.SELF, Proof.IDENTITY_CARD, Points.NONE)
    return forgettings.ask(db, leaver.resident_id, wish, actor=f"staff:{login_id}").request_id


def _print(db: Connection, branch: Branch) -> int:
    """Ask for a print run, of which no file is made."""
    assert branch.book_id is not None, "a station shares its hub's book"
    period = read_period("2026-01")
    made = prints.ask(db, branch.branch_id, branch.book_id, period, "run", False, 1, actor="system")
    return made.print_id


def _certify(db: Connection, resident: Resident, session_id: int) -> int:
    """Certify an hour of a resident's service at the session."""
    legs = tuple(
        ledger.Leg(account, ledger.Unit.MINUTES, amount)
        for account, amount in (
            (ledger.internal_account(db, resident.book_id, ledger.AccountKind.REGISTRY), -60),
            (resident.account_id, 60),
        )
    )
    award = ledger.Draft(
        resident.book_id, "award", legs, key=ids.token(8), actor="system", branch=resident.branch_id, grade="A",
        rule=("V01", 1), source=("attendance", f"{session_id}:{resident.resident_id}"),
    )  # fmt: skip
    ledger.post(db, award)
    today = clock.today()
    made = certificates.issue(
        db, resident.resident_id, today, today, handler="王经办", contact="82000000", actor="system"
    )
    return made.certificate_id


def _roster(db: Connection, branch: Branch) -> int:
    """Open the preview of a roster without rows."""
    header = ["姓名", "手机号"]
    import_id = importing.begin_import(
        db, branch, file_name="名单.csv", file_format="csv", header=header, actor="system"
    )
    importing.end_reading(db, import_id)
    return import_id


def _give_points(db: Connection, resident: Resident) -> UUID:
    opening = ledger.internal_account(db, resident.book_id, ledger.AccountKind.OPENING)
    legs = (
        ledger.Leg(opening, ledger.Unit.POINTS, -100),
        ledger.Leg(resident.account_id, ledger.Unit.POINTS, 100),
    )
    posted = ledger.post(
        db,
        ledger.Draft(
            resident.book_id, "opening", legs, key=ids.token(8), actor="system", branch=resident.branch_id, grade="D"
        ),
    )
    return posted.entry_id
