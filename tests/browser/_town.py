"""The people the browser tests act as, and what they have lived through: made through the packages' own verbs.

Chen Wei comes to every river morning and shares a phone with her husband Liu Qiang. Ouyang Lan has no phone, only her
card. Zhou Min runs the Nanshan station, Li Yulan the shop beside it; He Jian reads the books; Director Zhou opens
logins. In October they all met by the river, Wei bought soap and gave a towel back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

from PIL import Image, ImageDraw
from sqlalchemy import Connection

from moralbank import clock, ids, ledger
from moralbank.access import queries as access
from moralbank.access.deeds import Deed, Kind, Reason, record
from moralbank.access.service import GrantDraft
from moralbank.activities import checkin, helped, late, papers, seconding, service, signoff, tokens
from moralbank.activities.checkin import Scan
from moralbank.activities.late import Late
from moralbank.activities.signoff import Decision
from moralbank.activities.values import Direction, Means, Mode, Plan
from moralbank.approvals import service as approvals
from moralbank.approvals.service import hand_of
from moralbank.behalf import service as behalf
from moralbank.behalf.service import Appointment
from moralbank.behalf.values import Basis, Limits, Scope
from moralbank.branches.queries import Branch
from moralbank.earning import load_rules, packaged_rules
from moralbank.fairs import service as fairs
from moralbank.fairs.queries import list_stalls
from moralbank.fairs.service import FairPlan
from moralbank.forgetting import service as forgetting
from moralbank.forgetting.service import Asked
from moralbank.forgetting.values import AskedBy, Ground, Points, Proof
from moralbank.merchants import drafts, photos
from moralbank.merchants import service as merchants
from moralbank.merchants.schedules import Schedule
from moralbank.merchants.service import MerchantDetails, OfferDetails
from moralbank.noticeboard import service as noticeboard
from moralbank.redemptions import codes, numbers
from moralbank.redemptions import service as redemptions
from moralbank.redemptions.orders import Order, Till
from moralbank.residents import jobs
from moralbank.residents import service as residents
from moralbank.residents.enrolment import Person
from moralbank.residents.queries import Resident, find_card
from moralbank.teams import service as teams
from tests._people import MadeLogin, make_branch_tree, make_login
from tests._sealing import OFFICES, Sealing
from tests.browser import _trade
from tests.browser._trade import open_desk_login

#: A Saturday: the river morning begins at 9:00 on the bank's clock.
MORNING = datetime(2026, 11, 21, 9, tzinfo=clock.TIMEZONE)
PHONE = "13800000001"
ROSTER = (
    "姓名,手机号,所属驿站,期初积分\n马超,13700000001,南山驿站,50\n高原,13700000002,南山驿站,20\n坏行,123,南山驿站,5\n"
)
_PEOPLE = (
    ("wei", "陈薇", PHONE, "H-01", date(1962, 3, 8)),
    ("qiang", "刘强", PHONE, "H-01", date(1960, 1, 1)),
    ("lan", "欧阳兰", None, None, date(1948, 9, 9)),
    ("bo", "王博", "13800000003", None, date(1990, 5, 4)),
)
#: What is written into the books by hand, in the language of whoever wrote it.
_WORDS = (
    "邻家便利店 便利店 李玉兰 周敏 何监督 周主任 河岸清洁 楼道清扫 临时有事 棋牌室整理 敬老院理发 洛水河岸公园 "
    "居民议事会 2025-12-20 通过 道德银行中心空间1号 南山驿站1号 育苗驿站1号 外区中心空间1号 外区驿站1号 "
    "第3网格 5号楼 三号楼名单.csv 带上手套和水杯，在南门集合。 南山驿站1号 测试用的浏览器 中文 "
    "当天提前离开，签退是别人代扫的 邻里节 理发 量血压 手机没电了 签名表第 3 行 上门理发 刘奶奶 上门服务 代办夹第 1 页 "
    "河岸清洁队 鸡蛋两斤 花生油一瓶 请写明几升 赵大年 赵*"
).split()
_OFFERS = (
    ("O001", "香皂一块", 30, 30, 2, 300),
    ("O002", "毛巾一条", 40, 60, 5, 500),
    ("O003", "鸡蛋一斤", 8, 4, 3, 800),
    ("O004", "东北大米 5 公斤一袋", 60, 10, 1, 3000),
)


@dataclass
class Town:
    """Who is in it by short name, and the numbers that addresses are made of."""

    logins: dict[str, MadeLogin] = field(default_factory=dict)
    people: dict[str, Resident] = field(default_factory=dict)
    cards: dict[str, str] = field(default_factory=dict)
    #: What stands in for {…} in the addresses of pages.
    values: dict[str, Any] = field(default_factory=dict)
    branches: dict[str, Branch] = field(default_factory=dict)


def build(db: Connection) -> Town:
    """Let everything happen that came before the Saturday morning."""
    town = Town()
    with clock.at(MORNING - timedelta(days=45)):
        _open(db, town)
    _october(db, town)
    _trade.november(db, town, MORNING)
    _yesterday(db, town)
    with clock.at(MORNING - timedelta(days=2)):
        _announce(db, town)
        _ask(db, town)
        _door(db, town)
        _kin(db, town)
        _offers(db, town)
        _held(db, town)
    with clock.at(MORNING - timedelta(hours=3)):
        _seal(db, town)
        _look(db, town)
    with clock.at(MORNING + timedelta(minutes=10)):  # Whoever looks in the quarter of an hour before finds it waiting.
        _trade.ask_phone(db, town)
    return town


def _offers(db: Connection, town: Town) -> None:
    """Let the soap have a photo, a change of the eggs wait for the station, and a new offer be returned."""
    clerk = hand_of(town.logins["yulan"].principal, "operator")
    staff = hand_of(town.logins["min"].principal, "staff")
    merchants.change_photo(db, town.values["soap"], photos.shrink(picture_of_goods()), actor=staff.actor)
    change = drafts.change_offer(db, clerk, town.values["eggs"])
    markets = Schedule(date(2026, 11, 1), date(2026, 12, 12), 0b110_0000, 9 * 60, 11 * 60 + 30)
    wanted = OfferDetails("鸡蛋两斤", 15, 4, 3, 1600, markets)
    drafts.rewrite(db, clerk, change.draft_id, wanted, photo=photos.shrink(picture_of_goods("orange")))
    drafts.submit(db, clerk, change.draft_id)
    new = drafts.write_new(db, clerk, town.values["merchant"], OfferDetails("花生油一瓶", 90, 5, 1, 4000), None)
    drafts.submit(db, clerk, new.draft_id)
    drafts.send_back(db, staff, new.draft_id, "请写明几升")
    town.values["returned"] = new.draft_id


def picture_of_goods(colour: str = "teal") -> bytes:
    """Return a photo as a phone makes it, turned on its side."""
    made = BytesIO()
    image = Image.new("RGB", (1600, 1200), "beige")
    ImageDraw.Draw(image).ellipse((300, 200, 1300, 1000), fill=colour)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(made, "JPEG", exif=exif)
    return made.getvalue()


def _held(db: Connection, town: Town) -> None:
    """Let Min sign off a morning on which she says how long each was there: it waits for somebody else."""
    day = MORNING - timedelta(days=3)
    with clock.at(day - timedelta(days=1)):
        held = _session(db, town, day, title="棋牌室整理", mode=Mode.DESK)
        person = Person("赵大年", town.branches["NS-01"].branch_id)
        town.people["nian"] = residents.enrol(db, person, actor="staff:1")
    four = ("wei", "qiang", "lan", "nian")
    for who in four:
        _scan(db, town, held, who, Direction.IN, day)
        _scan(db, town, held, who, Direction.OUT, day + timedelta(minutes=150))
    with clock.at(day + timedelta(hours=4)):
        said = [Decision(town.people[who].resident_id, 120) for who in four]
        seconding.sign_off(db, hand_of(town.logins["min"].principal, "staff"), held, said, len(four))
    town.values["held"] = held


def _kin(db: Connection, town: Town) -> None:
    """Let Bo act for old Lan on his phone, a carer for her by a login of his own, and Wei be asked about a team."""
    station, by = town.branches["NS-01"], town.logins["min"]
    bo = access.get_login(db, town.logins["bo"].login_id)
    behalf.link_family(db, bo, town.people["lan"].resident_id, Basis.PIN, actor=f"resident:{bo.login_id}")
    carer = town.logins["carer"] = make_login(db, "helper", station, name="wu-gang")
    until = clock.today() + timedelta(days=20)
    limits = Limits(5, 8, 20)
    wanted = Appointment(
        town.people["lan"].resident_id, carer.name or "", "", Scope(), limits, clock.today(), "代办夹第 1 页", until
    )
    made = behalf.appoint(db, wanted, by=by.principal, actor=f"staff:{by.login_id}")
    town.values["helping"] = made.link.link_id
    number = town.people["wei"].number
    team = teams.open_team(db, station.branch_id, "河岸清洁队", number, actor=f"staff:{by.login_id}")
    town.values["team"] = team.team_id


def _look(db: Connection, town: Town) -> None:
    """Let staff have looked at Wei for two reasons, and Bo have asked to be forgotten."""
    wei, by = town.people["wei"], f"staff:{town.logins['min'].login_id}"
    place = (wei.branch_id, wei.book_id, wei.resident_id, wei.account_id)
    record(db, Deed(by, Kind.VIEW, *place, reason=Reason.DESK))
    record(db, Deed(by, Kind.VIEW, *place, reason=Reason.OTHER, note="photo 7 of the fair"))
    asked = Asked(Ground.WITHDRAWN, AskedBy.SELF, Proof.IDENTITY_CARD, Points.DONATE)
    director = f"admin:{town.logins['director'].login_id}"
    request = forgetting.ask(db, town.people["bo"].resident_id, asked, actor=director)
    town.values["forgetting"] = request.request_id


def _seal(db: Connection, town: Town) -> None:
    """Close every day that is over, and let two of three offices sign the book as it stands then."""
    book = town.people["wei"].book_id
    while noticeboard.seal_next_day(db, book):
        pass
    _trade.settle(db, town)
    sealing = Sealing()
    sealing.open(db)
    sealing.seal(db, *list(OFFICES)[:2])
    entry = town.values["entry"]
    [leg] = [leg for leg in ledger.get_entry(db, book, entry).legs if leg.account == town.people["wei"].account_id]
    town.values |= {"entry_hex": entry.hex, "line": leg.n, "board_day": town.values["shop_day"]}


def _ask(db: Connection, town: Town) -> None:
    """Leave a request that waits for a second person: Qiang left early in October."""
    awards = {who: award_of(db, town.people[who]) for who in ("qiang", "wei")}
    asked = approvals.ask_reversal(
        db,
        approvals.hand_of(town.logins["min"].principal, "staff"),
        town.people["qiang"].book_id,
        awards["qiang"],
        "当天提前离开，签退是别人代扫的",
    )
    town.values |= {"approval": asked.request_id, "award": awards["wei"]}


def _door(db: Connection, town: Town) -> None:
    """Let Wei be entered late for a morning at which nobody scanned, and a home be helped this Saturday."""
    silent = _session(db, town, MORNING - timedelta(days=10), title="楼道清扫")
    signoff.sign_off(db, silent, [], 0, actor=town.logins["min"].principal.actor("staff"))
    past = service.queries.get_session(db, silent)
    wanted = (past.session_id, town.people["wei"].resident_id, past.starts_at, past.ends_at)
    hand = approvals.hand_of(town.logins["min"].principal, "staff")
    entry = late.ask_late_entry(db, hand, Late(*wanted, "手机没电了", "签名表第 3 行"))
    home = _session(db, town, MORNING, title="上门理发", mode=Mode.BENEFICIARY)
    one, secret = helped.add_helped(db, home, label="刘奶奶")
    town.values |= {"late": entry.late_id, "late_request": entry.request.request_id}
    town.values |= {"home_session": home, "helped": one.helped_id, "helped_secret": secret}


def award_of(db: Connection, person: Resident) -> UUID:
    """Return the newest award of a resident."""
    lines = ledger.history(db, person.book_id, person.account_id, ledger.Unit.POINTS, limit=200)
    return next(line.entry_id for line in lines if line.kind == "award" and line.reversed_by is None)


def _open(db: Connection, town: Town) -> None:
    town.branches = make_branch_tree(db)
    station = town.branches["NS-01"]
    load_rules(db, packaged_rules(), actor="system", consultation="居民议事会 2025-12-20 通过")
    for name, full, phone, home, born_on in _PEOPLE:
        person = Person(
            full,
            station.branch_id,
            phone,
            home,
            born_on=born_on,
            sex="female" if name == "wei" else None,
            grid="第3网格",
            building="5号楼",
        )
        town.people[name] = residents.enrol(db, person, actor="staff:1")
        card = find_card(db, town.people[name].resident_id)
        assert card is not None
        town.cards[name] = card.number
    for name in ("wei", "bo"):
        town.logins[name] = make_login(db, "resident", station, resident_id=town.people[name].resident_id)
    details = MerchantDetails("邻家便利店", "便利店", "李玉兰", "13900000002", "subsidised")
    shop = merchants.add_merchant(db, station, "M001", details, status="active")
    offers = [merchants.add_offer(db, shop.merchant_id, code, OfferDetails(*facts)) for code, *facts in _OFFERS]
    _trade.open_shop(db, town)
    town.logins["min"] = open_desk_login(db, "zhoumin", "周敏", GrantDraft("staff", station.branch_id))
    town.logins["yulan"] = open_desk_login(
        db, "liyulan", "李玉兰", GrantDraft("operator", station.branch_id, shop.merchant_id)
    )
    town.logins["he"] = open_desk_login(db, "hejian", "何监督", GrantDraft("auditor", town.branches["NS"].branch_id))
    town.logins["director"] = open_desk_login(db, "director", "周主任", GrantDraft("admin", None))
    town.values |= {
        "branch": station.branch_id,
        "merchant": shop.merchant_id,
        "shop_account": shop.account_id,
        "offer": offers[0].offer_id,
        "soap": offers[0].offer_id,
        "towel": offers[1].offer_id,
        "eggs": offers[2].offer_id,
        "resident": town.people["wei"].resident_id,
        "login": town.logins["min"].login_id,
        "account": town.people["wei"].account_id,
        "month": "2026-10",
    }


def _october(db: Connection, town: Town) -> None:
    day = MORNING - timedelta(days=35)
    with clock.at(day - timedelta(days=3)):
        _open_balances(db, town)
        past = _session(db, town, day, title="河岸清洁", mode=Mode.DESK)
    for who in ("wei", "qiang", "lan"):
        _scan(db, town, past, who, Direction.IN, day)
        _scan(db, town, past, who, Direction.OUT, day + timedelta(minutes=150))
    with clock.at(day + timedelta(minutes=165)):
        decisions = [Decision(town.people[who].resident_id) for who in ("wei", "qiang", "lan")]
        signoff.sign_off(db, past, decisions, 3, actor=town.logins["min"].principal.actor("staff"))
    _shop(db, town, day + timedelta(days=1))
    _trade.october(db, town, day + timedelta(days=1, hours=3))
    town.values["past_session"] = past


def _yesterday(db: Connection, town: Town) -> None:
    """Leave a session that waits for its sign-off: Lan forgot to scan when she went."""
    day = MORNING - timedelta(days=1)
    with clock.at(day - timedelta(days=1)):
        waiting = _session(db, town, day, title="楼道清扫", mode=Mode.DESK)
    _scan(db, town, waiting, "lan", Direction.IN, day)
    _scan(db, town, waiting, "wei", Direction.IN, day)
    _scan(db, town, waiting, "wei", Direction.OUT, day + timedelta(minutes=40), "临时有事")
    with clock.at(day + timedelta(hours=3)):
        line = papers.Line(town.people["bo"].resident_id, day, None)
        paper = papers.enter(db, waiting, [line], actor=f"staff:{town.logins['min'].login_id}")
    town.values |= {"waiting": waiting, "paper": paper.paper_id}


def _scan(
    db: Connection, town: Town, session_id: int, who: str, direction: Direction, at: datetime, why: str | None = None
) -> None:
    nonce, person = f"{session_id}:{who}:{direction}", town.people[who].resident_id
    scan = Scan(session_id, person, Means.DESK_CARD, nonce, "staff:1", direction=direction, override=why)
    with clock.at(at):
        checkin.check_in(db, scan)


def _open_balances(db: Connection, town: Town) -> None:
    for who, points in (("wei", 100), ("lan", 12)):
        person = town.people[who]
        opening = ledger.internal_account(db, person.book_id, ledger.AccountKind.OPENING)
        legs = (
            ledger.Leg(opening, ledger.Unit.POINTS, -points),
            ledger.Leg(person.account_id, ledger.Unit.POINTS, points, date(2029, 10, 14)),
        )
        ledger.post(
            db,
            ledger.Draft(
                person.book_id, "opening", legs, f"opening:{who}", "staff:1", branch=person.branch_id, grade="D"
            ),
        )


def _shop(db: Connection, town: Town, day: datetime) -> None:
    """Wei buys soap, and takes a towel that she gives back within the minute."""
    till = Till(town.values["merchant"], town.logins["yulan"].login_id, "till-of-october-01")
    charges = []
    for minutes, offer in ((0, "soap"), (5, "towel")):
        with clock.at(day + timedelta(minutes=minutes)):
            number = codes.issue_code(db, town.people["wei"].resident_id).number
            order = Order(town.values[offer], None, numbers.Means.CODE, number)
            charges.append(redemptions.charge(db, till, order, ids.token(16)))
    with clock.at(day + timedelta(minutes=6)):
        redemptions.undo(db, till, charges[1].charge_id)
    wei = town.people["wei"]
    newest = ledger.history(db, wei.book_id, wei.account_id, ledger.Unit.POINTS, limit=1)[0]
    town.values |= {
        "charge": charges[0].charge_id,
        "shop_day": clock.local(day).date(),
        "entry": newest.entry_id,
        "book": "NS-00",
    }


def _announce(db: Connection, town: Town) -> None:
    today = _session(db, town, MORNING, title="河岸清洁", capacity=30)
    desk = _session(db, town, MORNING, title="棋牌室整理", mode=Mode.DESK)
    week = _session(db, town, MORNING + timedelta(days=7), title="敬老院理发", mode=Mode.POSTER, capacity=2)
    service.sign_up(db, today, town.people["wei"].resident_id)
    for who in ("bo", "qiang", "lan"):
        service.sign_up(db, week, town.people[who].resident_id)
    poster = service.print_poster(db, week, actor="staff:1")
    reading = _session(db, town, MORNING, title="图书漂流", mode=Mode.POSTER)
    book_poster = service.print_poster(db, reading, actor="staff:1")
    roster = BytesIO(ROSTER.encode("utf-8-sig"))
    import_id = jobs.read_at_once(db, town.branches["NS-01"], roster, "三号楼名单.csv", actor="staff:1")
    activity = service.queries.get_session(db, today).activity
    _fair(db, town)
    town.values |= {
        "session": today,
        "desk": desk,
        "week": week,
        "serial": poster.serial,
        "scan": tokens.poster(service.ensure_qr_key(db), reading, book_poster.serial),
        "activity": activity.activity_id,
        "import": import_id,
    }


def _fair(db: Connection, town: Town) -> None:
    """Announce a charity day for the Saturday, and hand its first stall over."""
    names = ["理发", "量血压"]
    times = (MORNING, MORNING + timedelta(hours=3))
    station, by = town.branches["NS-01"], town.logins["min"]
    plan = FairPlan(station.branch_id, "邻里节", "洛水河岸公园", "V01", *times, names, [town.values["merchant"]])
    fair = fairs.open_fair(db, plan, actor="staff:1", login_id=by.login_id)
    stalls = list_stalls(db, fair.fair_id)
    handed = fairs.hand_over(db, stalls[0].stall_id, by=by.principal, actor="staff:1")
    login = access.find_login(db, handed.login_name)
    assert login is not None
    principal = access.get_principal(db, login.login_id)
    town.logins["hands"] = MadeLogin(login.login_id, handed.login_name, handed.secret, principal)
    town.values |= {"fair": fair.fair_id, "stall": stalls[0].stall_id, "shop_stall": stalls[2].stall_id}


def _session(db: Connection, town: Town, starts_at: datetime, **changes: Any) -> int:
    given = {"rule_code": "V01", "branch_id": town.branches["NS-01"].branch_id, "place": "洛水河岸公园", **changes}
    description = "带上手套和水杯，在南门集合。"
    activity = service.create_activity(db, Plan(description=description, **given), actor="staff:1")
    session = service.add_session(db, activity.activity_id, starts_at, starts_at + timedelta(minutes=150))
    service.publish_activity(db, activity.activity_id)
    return session.session_id


def known_words() -> re.Pattern[str]:
    """Match what people of the town and its files call themselves, whatever the reader's language."""
    names = [full for _, full, *_ in _PEOPLE]
    masked = [f"{full[:2] if full.startswith('欧阳') else full[0]}*" for full in names]
    called = [*names, *masked, *OFFICES.values()]
    given = [*called, *_trade.WORDS, *(offer[1] for offer in _OFFERS), *_WORDS, *ROSTER.replace("\n", ",").split(",")]
    return re.compile("|".join(re.escape(word) for word in sorted(filter(None, given), key=len, reverse=True)))
