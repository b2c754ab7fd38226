"""Tables of residents: people, households, cards, consents, rosters on their way in. No points live here."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

residents_households = sa.Table(
    "residents_households",
    metadata,
    sa.Column("household_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    #: The number of the household in the community's own register (户号).
    sa.Column("code", sa.String(50), nullable=False),
    #: The household's ledger account; None until something is first credited to it.
    sa.Column("account_id", sa.BigInteger),
    sa.UniqueConstraint("book_id", "code"),
)

residents_residents = sa.Table(
    "residents_residents",
    metadata,
    sa.Column("resident_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    sa.Column("branch_id", sa.ForeignKey("branches_branches.branch_id"), nullable=False),
    #: Eight digits without meaning, for looking a person up; they never authorise anything.
    sa.Column("number", sa.String(8), nullable=False),
    sa.Column("account_id", sa.BigInteger, nullable=False, unique=True),
    sa.Column("household_id", BigId, sa.ForeignKey(residents_households.c.household_id)),
    sa.Column("name", sa.String(50), nullable=False),
    #: None: not everybody has a phone. Several people of a household may share one.
    sa.Column("phone", sa.String(11)),
    #: The last four digits of the phone, for looking a person up.
    sa.Column("phone_tail", sa.String(4)),
    sa.Column("born_on", sa.Date),
    sa.Column("sex", sa.String(6)),
    sa.Column("grid", sa.String(50)),
    sa.Column("building", sa.String(50)),
    sa.Column("party_member", sa.Boolean, nullable=False),
    sa.Column("joined_on", sa.Date, nullable=False),
    sa.Column("guardian_name", sa.String(50)),
    sa.Column("guardian_relation", sa.String(20)),
    sa.Column("status", sa.String(9), nullable=False),
    sa.Column("enrolled_at", UtcDateTime, nullable=False),
    sa.Column("enrolled_by", sa.String(64), nullable=False),
    #: When everything that tells who this was was taken away; the number and the account stay, and the lines.
    sa.Column("forgotten_at", UtcDateTime),
    sa.UniqueConstraint("book_id", "number"),
    sa.CheckConstraint("status IN ('active', 'suspended', 'left')", name="status_known"),
    sa.CheckConstraint("sex IN ('female', 'male')", name="sex_known"),
    sa.Index("ix_residents_residents_branch", "branch_id", "resident_id"),
    sa.Index("ix_residents_residents_household", "household_id"),
    sa.Index("ix_residents_residents_phone", "phone"),
    sa.Index("ix_residents_residents_phone_tail", "phone_tail"),
    sa.Index("ix_residents_residents_name", "name"),
)

#: Every fingerprint (values.person_key) a resident was ever known by: a person is enrolled once in a book,
#: also when an old roster comes again after their phone or name was corrected.
residents_person_keys = sa.Table(
    "residents_person_keys",
    metadata,
    sa.Column("book_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("person_key", sa.String(32), primary_key=True),
    sa.Column("resident_id", sa.ForeignKey(residents_residents.c.resident_id), nullable=False, index=True),
)

residents_cards = sa.Table(
    "residents_cards",
    metadata,
    sa.Column("card_id", BigId, primary_key=True),
    sa.Column("resident_id", sa.ForeignKey(residents_residents.c.resident_id), nullable=False, index=True),
    #: 24 digits: 70, twenty random ones, two check digits.
    sa.Column("number", sa.String(24), nullable=False, unique=True),
    sa.Column("issued_at", UtcDateTime, nullable=False),
    sa.Column("issued_by", sa.String(64), nullable=False),
    sa.Column("revoked_at", UtcDateTime),
    sa.Column("revoked_by", sa.String(64)),
    sa.Column("revoke_reason", sa.String(200)),
    sa.CheckConstraint("(revoked_at IS NULL) = (revoke_reason IS NULL)", name="revoked_with_reason"),
)
sa.Index(
    "uq_residents_cards_one_active",
    residents_cards.c.resident_id,
    unique=True,
    sqlite_where=residents_cards.c.revoked_at.is_(None),
    postgresql_where=residents_cards.c.revoked_at.is_(None),
)

residents_consents = sa.Table(
    "residents_consents",
    metadata,
    sa.Column("consent_id", BigId, primary_key=True),
    sa.Column("resident_id", sa.ForeignKey(residents_residents.c.resident_id), nullable=False, index=True),
    sa.Column("kind", sa.String(6), nullable=False),
    sa.Column("given_at", UtcDateTime, nullable=False),
    sa.Column("given_by", sa.String(64), nullable=False),
    sa.Column("withdrawn_at", UtcDateTime),
    sa.Column("withdrawn_by", sa.String(64)),
    sa.CheckConstraint("kind IN ('record', 'notice', 'photo', 'honour')", name="kind_known"),
)
sa.Index(
    "uq_residents_consents_one_standing",
    residents_consents.c.resident_id,
    residents_consents.c.kind,
    unique=True,
    sqlite_where=residents_consents.c.withdrawn_at.is_(None),
    postgresql_where=residents_consents.c.withdrawn_at.is_(None),
)

#: What was done about a resident, by whom and why; never what their details were before.
residents_deeds = sa.Table(
    "residents_deeds",
    metadata,
    sa.Column("deed_id", BigId, primary_key=True),
    sa.Column("resident_id", sa.ForeignKey(residents_residents.c.resident_id), nullable=False, index=True),
    sa.Column("deed", sa.String(16), nullable=False),
    #: The reason given, or the names of the details corrected.
    sa.Column("note", sa.String(200), nullable=False),
    sa.Column("done_at", UtcDateTime, nullable=False),
    sa.Column("done_by", sa.String(64), nullable=False),
)

#: A roster on its way in. Nothing of it is a resident before somebody confirmed what the preview shows.
residents_imports = sa.Table(
    "residents_imports",
    metadata,
    sa.Column("import_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    #: Rows may name this branch and those below it.
    sa.Column("branch_id", sa.ForeignKey("branches_branches.branch_id"), nullable=False, index=True),
    sa.Column("file_name", sa.String(200), nullable=False),
    sa.Column("file_format", sa.String(4), nullable=False),
    sa.Column("header", sa.JSON, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("uploaded_by", sa.String(64), nullable=False),
    sa.Column("uploaded_at", UtcDateTime, nullable=False),
    sa.Column("confirmed_by", sa.String(64)),
    sa.Column("confirmed_at", UtcDateTime),
    sa.Column("finished_at", UtcDateTime),
    #: When a page of it was last written: a running import that is quiet has lost its process.
    sa.Column("touched_at", UtcDateTime, nullable=False),
    #: How many of the rows to take are dealt with: enrolled, or found to be here by now.
    sa.Column("done_rows", sa.Integer, nullable=False),
    #: The sheet row up to which that is so: where a stopped import goes on.
    sa.Column("position", sa.Integer, nullable=False),
    #: Code of the refusal that stopped it, in state "stopped".
    sa.Column("stopped_by", sa.String(64)),
    sa.CheckConstraint("state IN ('reading', 'preview', 'running', 'stopped', 'done', 'dropped')", name="state_known"),
)

residents_import_rows = sa.Table(
    "residents_import_rows",
    metadata,
    sa.Column("import_id", sa.ForeignKey(residents_imports.c.import_id), primary_key=True, autoincrement=False),
    sa.Column("sheet_row", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("verdict", sa.String(6), nullable=False),
    #: Code and column of the first reason, to count by.
    sa.Column("reason_code", sa.String(32)),
    sa.Column("reason_column", sa.String(100)),
    #: What is wrong, as [code, column, first_row] each; empty for a row to take.
    sa.Column("reasons", sa.JSON, nullable=False),
    #: The row as it stands in the sheet, kept for the file of refused rows and emptied once it is a resident.
    sa.Column("cells", sa.JSON(none_as_null=True)),
    #: The person as understood, emptied once it is a resident.
    sa.Column("person", sa.JSON(none_as_null=True)),
    sa.Column("opening_points", sa.BigInteger, nullable=False),
    sa.Column("resident_id", sa.ForeignKey(residents_residents.c.resident_id)),
    sa.CheckConstraint("verdict IN ('take', 'here', 'refuse', 'skip')", name="verdict_known"),
    sa.Index("ix_residents_import_rows_verdict", "import_id", "verdict", "sheet_row"),
)
