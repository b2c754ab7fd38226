"""Merchants, their offers, and the files they come in."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

import moralbank
from moralbank import clock, ledger
from moralbank.db import Database
from moralbank.merchants import queries, service
from moralbank.merchants.cli import read
from moralbank.merchants.errors import (
    BadMerchantFile,
    MerchantCodeTaken,
    OfferCodeTaken,
    StatusNotNext,
    UnknownMerchant,
    UnknownOffer,
)
from moralbank.merchants.service import MerchantDetails, OfferDetails
from tests._people import make_branch_tree
from tests._worlds import world

COMMUNITY = Path(moralbank.__file__).parent / "demo" / "community"
BARBER = MerchantDetails("老街理发店", "理发", "孙建国", "13900000001", "donated")
HAIRCUT = OfferDetails("60岁以上老人理发一次", 50, 2, 1, 0)


@world
def tree(database: Database):
    return database.transact(make_branch_tree)


@pytest.fixture
def barber(database, tree):
    return database.transact(service.add_merchant, tree["NS-01"], "M001", BARBER)


def test_a_merchant_gets_an_account_of_its_own_in_the_branchs_book(database, tree, barber) -> None:
    other = database.transact(service.add_merchant, tree["NS-02"], "M002", BARBER)
    assert barber.status == "applied"
    assert barber.book_id == other.book_id == tree["NS-00"].book_id
    assert barber.account_id != other.account_id
    with database.reading() as db:
        account = ledger.find_account(db, barber.book_id, barber.account_id)
    assert account is not None
    assert account.kind is ledger.AccountKind.MERCHANT


def test_a_code_names_one_merchant_of_a_book(database, tree, barber) -> None:
    with pytest.raises(MerchantCodeTaken):
        database.transact(service.add_merchant, tree["NS-02"], "M001", BARBER)
    strangers = database.transact(service.add_merchant, tree["XX-01"], "M001", BARBER)
    assert strangers.book_id != barber.book_id


def test_a_merchant_goes_from_applying_over_a_visit_to_active_and_no_shorter(database, barber) -> None:
    with pytest.raises(StatusNotNext):
        database.transact(service.move_merchant, barber.merchant_id, "active")
    for status in ("visited", "active", "suspended", "active", "left", "applied"):
        assert database.transact(service.move_merchant, barber.merchant_id, status).status == status
    assert database.transact(service.move_merchant, barber.merchant_id, "applied").status == "applied"
    with pytest.raises(UnknownMerchant):
        database.transact(service.move_merchant, 999, "active")


def test_an_offer_gives_what_its_month_has_and_takes_back_what_was_undone(database, barber) -> None:
    offer = database.transact(service.add_offer, barber.merchant_id, "O001", HAIRCUT)
    today = clock.today()
    for _ in range(2):
        database.transact(service.take_offers, [offer], today)
    assert database.transact(service.take_offers, [offer], today) == [False]
    database.transact(service.give_back_offer, offer.offer_id, today)
    with database.reading() as db:
        assert queries.get_stocked_offer(db, offer.offer_id).left == 1
    database.transact(service.take_offers, [offer], today)


def test_each_month_begins_anew(database, barber) -> None:
    offer = database.transact(service.add_offer, barber.merchant_id, "O001", HAIRCUT)
    for month in (1, 1, 2, 2):
        database.transact(service.take_offers, [offer], clock.today().replace(month=month, day=28))


def test_a_quota_lowered_below_what_was_taken_leaves_nothing(database, barber) -> None:
    offer = database.transact(service.add_offer, barber.merchant_id, "O001", HAIRCUT)
    for _ in range(2):
        database.transact(service.take_offers, [offer], clock.today())
    database.transact(service.edit_offer, offer.offer_id, OfferDetails("理发一次", 50, 1, 1, 0))
    with database.reading() as db:
        stocked = queries.get_stocked_offer(db, offer.offer_id)
    assert (stocked.left, stocked.offer.title) == (0, "理发一次")


def test_only_what_can_be_had_is_listed_as_open(database, barber) -> None:
    offer = database.transact(service.add_offer, barber.merchant_id, "O001", HAIRCUT)

    def open_offers() -> int:
        with database.reading() as db:
            return len(queries.list_offers(db, only_open=True))

    assert open_offers() == 0
    for status in ("visited", "active"):
        database.transact(service.move_merchant, barber.merchant_id, status)
    assert open_offers() == 1
    database.transact(service.show_offer, offer.offer_id, active=False)
    assert open_offers() == 0
    database.transact(service.show_offer, offer.offer_id, active=True)
    for _ in range(2):
        database.transact(service.take_offers, [offer], clock.today())
    assert open_offers() == 0


def test_an_offers_code_is_its_merchants_own(database, barber) -> None:
    database.transact(service.add_offer, barber.merchant_id, "O001", HAIRCUT)
    with pytest.raises(OfferCodeTaken):
        database.transact(service.add_offer, barber.merchant_id, "O001", HAIRCUT)
    with database.reading() as db, pytest.raises(UnknownOffer):
        queries.get_offer(db, 999)


def test_the_lists_are_filtered_and_bounded(database, tree, barber) -> None:
    database.transact(service.add_merchant, tree["XX-01"], "M009", BARBER, status="active")
    with database.reading() as db:
        assert len(queries.list_merchants(db)) == 2
        assert [m.code for m in queries.list_merchants(db, branch_ids=[tree["NS-01"].branch_id])] == ["M001"]
        assert [m.code for m in queries.list_merchants(db, status="active")] == ["M009"]
        assert [m.code for m in queries.list_merchants(db, q="m009")] == ["M009"]
        assert len(queries.list_merchants(db, q="理发")) == 2
        assert queries.list_merchants(db, q="100%") == []
        assert len(queries.list_merchants(db, limit=1)) == 1


@pytest.fixture
def files(tree):
    """The community's files, with the stations that the tests' district lacks moved to one it has."""
    merchants = [
        {**row, "branch": row["branch"] if row["branch"] in tree else "NS-02"}
        for row in read(COMMUNITY / "merchants.csv")
    ]
    return merchants, read(COMMUNITY / "offers.csv")


def test_the_communitys_files_are_taken_in_once(database, files) -> None:
    first = database.transact(service.load_files, *files)
    assert (first.merchants, first.offers, first.present) == (14, 14, 0)
    again = database.transact(service.load_files, *files)
    assert (again.merchants, again.offers, again.present) == (0, 0, 28)
    with database.reading() as db:
        found = {merchant.code: merchant for merchant in queries.list_merchants(db)}
        offers = {stocked.offer.code: stocked.offer for stocked in queries.list_offers(db)}
    assert {code: found[code].status for code in ("M001", "M011", "M013")} == {
        "M001": "active", "M011": "applied", "M013": "suspended",
    }  # fmt: skip
    assert offers["O012"].settlement_fen == 350
    assert offers["O004"].settlement_fen == 2800
    assert (offers["O013"].points, offers["O013"].monthly_quota) == (0, 1000)


@pytest.mark.parametrize(
    ("file", "field", "value"),
    [
        (0, "branch", "NOWHERE"),
        (0, "branch", "DZ"),
        (0, "status", "wonderful"),
        (0, "settlement_mode", "cash"),
        (1, "merchant", "M999"),
        (1, "points", "-1"),
        (1, "points", "1.5"),
        (1, "monthly_quota", "0"),
        (1, "per_resident_per_month", ""),
        (1, "settlement_yuan", "3.555"),
        (1, "settlement_yuan", "three"),
    ],
)
def test_a_file_with_a_bad_line_is_refused_whole_and_says_where(database, files, file, field, value) -> None:
    files[file][2][field] = value
    with pytest.raises(BadMerchantFile) as refused:
        database.transact(service.load_files, *files)
    assert (refused.value.fields["line"], refused.value.fields["field"]) == (4, field)
    with database.reading() as db:
        assert queries.list_merchants(db) == []


def test_the_files_are_the_communitys_own(tmp_path) -> None:
    copy = tmp_path / "merchants.csv"
    copy.write_bytes(b"\xef\xbb\xbf" + (COMMUNITY / "merchants.csv").read_bytes())
    assert read(copy) == read(COMMUNITY / "merchants.csv")
    with (COMMUNITY / "offers.csv").open(newline="") as lines:
        assert len(list(csv.reader(lines))) == 15
