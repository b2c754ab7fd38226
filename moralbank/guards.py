"""What the migrations make the database itself refuse: every trigger, by the digest of what it does.

Compares only; the digests below are those of the newest revision, and a test holds them against a migrated database.
"""

from __future__ import annotations

from hashlib import sha256

import sqlalchemy as sa
from sqlalchemy.engine import Connection

#: No row of these is ever changed or removed: that the service's role can't is checked beside the triggers.
APPEND_ONLY = (
    "access_deeds",
    "certificates_copies",
    "ledger_accounts",
    "ledger_closed_days",
    "ledger_entries",
    "ledger_expiry_notices",
    "ledger_keys",
    "ledger_postings",
    "statements_issued",
    "transparency_checkpoints",
    "transparency_cosignatures",
    "transparency_facts",
    "transparency_origins",
    "transparency_runs",
    "transparency_tiles",
    "web_idempotency",
)

GUARDS: dict[str, dict[str, str]] = {
    "sqlite": {
        "access_deeds.access_deeds_no_delete": "7c0ba6251a081fc9",
        "access_deeds.access_deeds_no_update": "852dc91a4e7165c9",
        "approvals_offsets.approvals_offsets_no_delete": "3ad018787bce2d05",
        "approvals_offsets.approvals_offsets_stand": "febf34770fd0bdb8",
        "approvals_requests.approvals_requests_no_delete": "f456e98fa3b59b61",
        "approvals_requests.approvals_requests_stand": "6f5c4f928df367ea",
        "certificates_certificates.certificates_certificates_no_delete": "48db0e05b5c58cf1",
        "certificates_certificates.certificates_certificates_stand": "d1c496039a8b6c71",
        "certificates_copies.certificates_copies_no_delete": "2c08f95d83b3e4f6",
        "certificates_copies.certificates_copies_no_update": "c20a2c1178f76505",
        "disclosure_notices.disclosure_notices_no_delete": "bfad9a2b45d68366",
        "disclosure_notices.disclosure_notices_stand": "237e853a390ce583",
        "disclosure_rows.disclosure_rows_stand": "b29284a0f186e590",
        "earning_rules.earning_rules_no_delete": "a6134e73ef063567",
        "earning_rules.earning_rules_no_update": "28dd5da5cc07b9aa",
        "figures_months.figures_months_no_delete": "23d9455f82d5d33d",
        "figures_months.figures_months_no_update": "810ba756e5ee3b82",
        "ledger_accounts.ledger_accounts_no_delete": "bb9fb279719d2ee6",
        "ledger_accounts.ledger_accounts_no_replace": "5e19fe759e1896d9",
        "ledger_accounts.ledger_accounts_no_update": "31211179cc77ba11",
        "ledger_books.ledger_books_two_people_stand": "b40383e09c309763",
        "ledger_closed_days.ledger_closed_days_no_delete": "2d389acb75cd28ca",
        "ledger_closed_days.ledger_closed_days_no_replace": "526a991c246afb65",
        "ledger_closed_days.ledger_closed_days_no_update": "c161fe4a26d330fe",
        "ledger_entries.ledger_entries_balanced": "0ea0754a8fb597e5",
        "ledger_entries.ledger_entries_no_delete": "6d7d5f65d539e40f",
        "ledger_entries.ledger_entries_no_replace": "33c4305208dcc39a",
        "ledger_entries.ledger_entries_no_update": "d9d86f2a3fe612e6",
        "ledger_entries.ledger_entries_two_people": "f1a8d09acfaffd19",
        "ledger_expiry_notices.ledger_expiry_notices_no_delete": "df7925701a35f9e0",
        "ledger_expiry_notices.ledger_expiry_notices_no_update": "e8b95ed1c781e6c8",
        "ledger_keys.ledger_keys_no_delete": "94b797a53ffd9d56",
        "ledger_keys.ledger_keys_no_replace": "2eceba6169e60958",
        "ledger_keys.ledger_keys_no_update": "23912200515c7201",
        "ledger_postings.ledger_postings_before_entry": "3bc4c20118016338",
        "ledger_postings.ledger_postings_no_delete": "85c4eedba4b7d50a",
        "ledger_postings.ledger_postings_no_replace": "b65b3ec26922b092",
        "ledger_postings.ledger_postings_no_update": "75ba267cf1819827",
        "redemptions_refunds.redemptions_refunds_no_delete": "df01420cd0aafb49",
        "redemptions_refunds.redemptions_refunds_stand": "bd4923d990c59103",
        "redemptions_zreports.redemptions_zreports_no_delete": "2e6e82dea3484dd6",
        "redemptions_zreports.redemptions_zreports_no_update": "fbbf6d63847211cc",
        "objections_objections.objections_objections_no_delete": "6775b42f160f516f",
        "objections_objections.objections_objections_stand": "2f088a8e14e51cf6",
        "settlements_lines.settlements_lines_no_delete": "48cc210e4ad10c71",
        "settlements_lines.settlements_lines_no_update": "360257928a994598",
        "settlements_pledges.settlements_pledges_no_delete": "9999cd875bf8a833",
        "settlements_pledges.settlements_pledges_no_update": "c39e95e89eb7846f",
        "statements_issued.statements_issued_no_delete": "99231dc7d5061841",
        "statements_issued.statements_issued_no_update": "5b938970bb26f1ee",
        "transparency_checkpoints.transparency_checkpoints_no_delete": "d3ddbe67c61d6dcc",
        "transparency_checkpoints.transparency_checkpoints_no_replace": "1d8db3a6818f9977",
        "transparency_checkpoints.transparency_checkpoints_no_update": "51dbf88b82bbb8de",
        "transparency_cosignatures.transparency_cosignatures_no_delete": "271bfc7161fd8f20",
        "transparency_cosignatures.transparency_cosignatures_no_replace": "a7438eddddab31e1",
        "transparency_cosignatures.transparency_cosignatures_no_update": "20fd3de291047c44",
        "transparency_facts.transparency_facts_no_delete": "aa8e67a8e2674784",
        "transparency_facts.transparency_facts_no_replace": "f27972179282db72",
        "transparency_facts.transparency_facts_no_update": "2e9bc57d436c3ddf",
        "transparency_origins.transparency_origins_no_delete": "54c1286fdefa2ee7",
        "transparency_origins.transparency_origins_no_replace": "08b473e622502c23",
        "transparency_origins.transparency_origins_no_update": "ed3b2270acaa4f85",
        "transparency_runs.transparency_runs_follow": "feadbbb7c1e781d0",
        "transparency_runs.transparency_runs_no_delete": "f574988260ef4ae7",
        "transparency_runs.transparency_runs_no_replace": "e730f222aae5d708",
        "transparency_runs.transparency_runs_no_update": "3db4a511822cb890",
        "transparency_tiles.transparency_tiles_no_delete": "403ac3bbb2aa6f67",
        "transparency_tiles.transparency_tiles_no_replace": "978e8b2fb7560f28",
        "transparency_tiles.transparency_tiles_no_update": "8413fe01f6cea010",
        "web_idempotency.web_idempotency_no_delete": "28fb1eb6ad307a53",
        "web_idempotency.web_idempotency_no_update": "2d7123bd37e7225e",
    },
    "postgresql": {
        "access_deeds.access_deeds_append_only": "4d22cfc6cffaf3bf",
        "access_deeds.access_deeds_no_truncate": "707e33a55a69b2ae",
        "approvals_offsets.approvals_offsets_no_delete": "64a47c487a457f32",
        "approvals_offsets.approvals_offsets_stand": "5cc8e1bcee4b4f65",
        "approvals_requests.approvals_requests_no_delete": "64a47c487a457f32",
        "approvals_requests.approvals_requests_stand": "5cc8e1bcee4b4f65",
        "certificates_certificates.certificates_certificates_no_delete": "64a47c487a457f32",
        "certificates_certificates.certificates_certificates_stand": "5cc8e1bcee4b4f65",
        "certificates_copies.certificates_copies_append_only": "ba981fb28cf6ba28",
        "certificates_copies.certificates_copies_no_truncate": "707e33a55a69b2ae",
        "disclosure_notices.disclosure_notices_no_delete": "85b665d2c7a30494",
        "disclosure_notices.disclosure_notices_stand": "8c197e0f59ea439a",
        "disclosure_rows.disclosure_rows_stand": "8c197e0f59ea439a",
        "earning_rules.earning_rules_append_only": "304ecef89a587473",
        "figures_months.figures_months_append_only": "4d22cfc6cffaf3bf",
        "figures_months.figures_months_no_truncate": "707e33a55a69b2ae",
        "ledger_accounts.ledger_accounts_append_only": "ba981fb28cf6ba28",
        "ledger_accounts.ledger_accounts_no_truncate": "707e33a55a69b2ae",
        "ledger_books.ledger_books_two_people_stand": "797693ec4432727b",
        "ledger_closed_days.ledger_closed_days_append_only": "ba981fb28cf6ba28",
        "ledger_closed_days.ledger_closed_days_no_truncate": "707e33a55a69b2ae",
        "ledger_entries.ledger_entries_append_only": "ba981fb28cf6ba28",
        "ledger_entries.ledger_entries_balanced": "db66202673dce971",
        "ledger_entries.ledger_entries_no_truncate": "707e33a55a69b2ae",
        "ledger_entries.ledger_entries_two_people": "0b765dd98fe4e80a",
        "ledger_expiry_notices.ledger_expiry_notices_append_only": "ba981fb28cf6ba28",
        "ledger_expiry_notices.ledger_expiry_notices_no_truncate": "707e33a55a69b2ae",
        "ledger_keys.ledger_keys_append_only": "ba981fb28cf6ba28",
        "ledger_keys.ledger_keys_no_truncate": "707e33a55a69b2ae",
        "ledger_postings.ledger_postings_append_only": "ba981fb28cf6ba28",
        "ledger_postings.ledger_postings_before_entry": "84fb4502bf95bb94",
        "ledger_postings.ledger_postings_no_truncate": "707e33a55a69b2ae",
        "redemptions_refunds.redemptions_refunds_no_delete": "64a47c487a457f32",
        "redemptions_refunds.redemptions_refunds_stand": "5cc8e1bcee4b4f65",
        "redemptions_zreports.redemptions_zreports_append_only": "ba981fb28cf6ba28",
        "redemptions_zreports.redemptions_zreports_no_truncate": "707e33a55a69b2ae",
        "objections_objections.objections_objections_no_delete": "85b665d2c7a30494",
        "objections_objections.objections_objections_stand": "8c197e0f59ea439a",
        "settlements_lines.settlements_lines_append_only": "ba981fb28cf6ba28",
        "settlements_lines.settlements_lines_no_truncate": "707e33a55a69b2ae",
        "settlements_pledges.settlements_pledges_append_only": "ba981fb28cf6ba28",
        "settlements_pledges.settlements_pledges_no_truncate": "707e33a55a69b2ae",
        "statements_issued.statements_issued_append_only": "ba981fb28cf6ba28",
        "statements_issued.statements_issued_no_truncate": "707e33a55a69b2ae",
        "transparency_checkpoints.transparency_checkpoints_append_only": "ba981fb28cf6ba28",
        "transparency_checkpoints.transparency_checkpoints_no_truncate": "707e33a55a69b2ae",
        "transparency_cosignatures.transparency_cosignatures_append_only": "ba981fb28cf6ba28",
        "transparency_cosignatures.transparency_cosignatures_no_truncate": "707e33a55a69b2ae",
        "transparency_facts.transparency_facts_append_only": "ba981fb28cf6ba28",
        "transparency_facts.transparency_facts_no_truncate": "707e33a55a69b2ae",
        "transparency_origins.transparency_origins_append_only": "ba981fb28cf6ba28",
        "transparency_origins.transparency_origins_no_truncate": "707e33a55a69b2ae",
        "transparency_runs.transparency_runs_append_only": "ba981fb28cf6ba28",
        "transparency_runs.transparency_runs_follow": "7d27411083e8c51c",
        "transparency_runs.transparency_runs_no_truncate": "707e33a55a69b2ae",
        "transparency_tiles.transparency_tiles_append_only": "ba981fb28cf6ba28",
        "transparency_tiles.transparency_tiles_no_truncate": "707e33a55a69b2ae",
        "web_idempotency.web_idempotency_append_only": "37d53958379b8136",
        "web_idempotency.web_idempotency_no_truncate": "707e33a55a69b2ae",
    },
}

_SQLITE = "SELECT tbl_name, name, sql FROM sqlite_master WHERE type = 'trigger'"
#: tgtype holds when it fires and on what; tgenabled, whether it does.
_POSTGRESQL = """
SELECT c.relname, t.tgname, concat_ws(' ', t.tgtype, t.tgenabled, p.proname, p.prosrc)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace
"""


def digests(db: Connection) -> dict[str, str]:
    """Return what every trigger of the database does, as a digest by its table and name."""
    rows = db.execute(sa.text(_SQLITE if db.dialect.name == "sqlite" else _POSTGRESQL))
    return {f"{table}.{name}": sha256(text.encode()).hexdigest()[:16] for table, name, text in rows}


def find_broken(db: Connection, *, names_only: bool = False) -> list[str]:
    """Return the triggers that are missing, are switched off, or do something else than the migrations made them do.

    names_only: for a schema that a newer code migrated, whose triggers may well do more than this code knows.
    """
    found = digests(db)
    expected = GUARDS[db.dialect.name]
    return [name for name, digest in expected.items() if name not in found or not (names_only or found[name] == digest)]
