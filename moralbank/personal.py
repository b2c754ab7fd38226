"""Where the database holds what tells who a person is: which columns, whose each row is, and what stays when it goes.

Tables by name, as the guards name them. Backups seal these cells under a key of each person's own, and sweeping
rewrites these tables' files; a test holds the list against the tables of the code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Left(Enum):
    """What stands in place of a cell whose person is forgotten, beside plain values."""

    NOW = "now"


Value = str | bytes | bool | None | Left


@dataclass(frozen=True, slots=True)
class Held:
    """What one table holds of people."""

    table: str
    #: SQL for the resident's number of a row `t`; NULL where the row is nobody's.
    person: str
    #: The cells that tell of them, with what is left in their place.
    columns: dict[str, Value]
    #: Without its cells the row would say nothing, so it goes whole.
    goes: bool = False
    #: Cells that tell nothing themselves and change when the person goes.
    also: dict[str, Value] = field(default_factory=dict)
    #: Never in a backup, which holds what is left instead: what waits to be taken in is read in again.
    is_left_out: bool = False


_OF_LOGIN = "(SELECT l.resident_id FROM access_logins l WHERE l.login_id = t.login_id)"
_OF_ACCOUNT = "(SELECT r.resident_id FROM residents_residents r WHERE r.account_id = t.account_id)"
_OF_CHARGE = "(SELECT c.resident_id FROM redemptions_charges c WHERE c.charge_id = t.charge_id)"
_OF_DEED = "(SELECT d.resident_id FROM access_deeds d WHERE d.deed_id = t.deed_id)"
_OF_ENTRY = (
    "(SELECT min(r.resident_id) FROM ledger_postings p JOIN residents_residents r ON r.account_id = p.account_id "
    "WHERE p.book_id = t.book_id AND p.entry_id = t.entry_id)"
)

PERSONAL: tuple[Held, ...] = (
    Held(
        "residents_residents",
        "t.resident_id",
        {
            "name": "",
            "phone": None,
            "phone_tail": None,
            "born_on": None,
            "sex": None,
            "grid": None,
            "building": None,
            "guardian_name": None,
            "guardian_relation": None,
        },
        also={"status": "left", "forgotten_at": Left.NOW, "household_id": None, "party_member": False},
    ),
    Held("residents_person_keys", "t.resident_id", {"person_key": ""}, goes=True),
    Held("residents_cards", "t.resident_id", {"number": "", "revoke_reason": None}, goes=True),
    Held("residents_consents", "t.resident_id", {"given_by": ""}, goes=True),
    Held("residents_deeds", "t.resident_id", {"note": ""}),
    Held("behalf_links", "t.resident_id", {"agreed_note": ""}),
    Held("behalf_words", "t.resident_id", {"hash": b""}, goes=True),
    Held("residents_imports", "NULL", {"file_name": "roster"}, is_left_out=True),
    Held("residents_import_rows", "t.resident_id", {"cells": None, "person": None}, is_left_out=True),
    Held("access_logins", "t.resident_id", {"secret_hash": ""}, also={"suspended_at": Left.NOW}),
    Held("access_sessions", _OF_LOGIN, {"token_hash": "", "address": "", "device": ""}, goes=True),
    Held("access_deed_notes", _OF_DEED, {"salt": b"", "note": ""}, goes=True),
    Held("activities_checkins", "t.resident_id", {"reason": None, "device": None}),
    Held("activities_device_scans", "t.resident_id", {"reason": None, "code": None}),
    Held("activities_feeds", "t.resident_id", {"secret_hash": b""}, goes=True),
    Held("activities_helped", "t.resident_id", {"label": ""}),
    Held("activities_spot_answers", "t.resident_id", {"device": None}),
    Held("activities_late_entries", "t.resident_id", {"evidence": "", "note": None}),
    Held("approvals_requests", "t.resident_id", {"reason": "", "answer": None}),
    Held("redemptions_refunds", _OF_CHARGE, {"reason": ""}),
    Held("certificates_certificates", "t.resident_id", {"content": "", "void_reason": None}),
    Held("certificates_facts", "t.resident_id", {"words": ""}, goes=True),
    Held("history_accounts", _OF_ACCOUNT, {"outside_name": ""}, goes=True),
    Held("ledger_private_parts", _OF_ENTRY, {"salt": b"", "content": ""}, goes=True),
    Held("messages_messages", "t.resident_id", {"facts": "null"}),
    Held("disclosure_rows", "t.resident_id", {"shown": "", "salt": b""}),
    Held("objections_objections", "t.resident_id", {"words": "", "answer": None, "from_name": None, "contact": None}),
    Held("messages_mailboxes", "t.resident_id", {"address": "", "code_hash": None}, goes=True),
    Held("messages_staff_mailboxes", _OF_LOGIN, {"address": "", "code_hash": None}, goes=True),
    Held("web_idempotency", "t.resident_id", {"body": b"{}"}),
)
