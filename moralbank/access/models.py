"""Tables of access. Secrets, session ids and tokens are kept only as hashes."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

access_logins = sa.Table(
    "access_logins",
    metadata,
    sa.Column("login_id", BigId, primary_key=True),
    #: What staff and operators type, folded to lower case; residents type a phone or a card instead.
    sa.Column("name", sa.String(32), unique=True),
    #: How colleagues are called on pages; empty for residents, whose name only their package keeps.
    sa.Column("display_name", sa.String(50), nullable=False),
    #: Whose login it is. No foreign key: the residents package lies above this one.
    sa.Column("resident_id", sa.BigInteger, unique=True),
    #: "pin" (six digits) or "password".
    sa.Column("secret_kind", sa.String(8), nullable=False),
    sa.Column("secret_hash", sa.String(200), nullable=False),
    #: Set by somebody else, so it opens only the page where it is changed.
    sa.Column("must_change", sa.Boolean, nullable=False),
    sa.Column("opened_at", UtcDateTime, nullable=False),
    sa.Column("opened_by", sa.String(32), nullable=False),
    sa.Column("suspended_at", UtcDateTime),
    sa.CheckConstraint("secret_kind IN ('pin', 'password')", name="secret_kind_known"),
    sa.CheckConstraint("(name IS NULL) <> (resident_id IS NULL)", name="named_or_resident"),
)

access_grants = sa.Table(
    "access_grants",
    metadata,
    sa.Column("grant_id", BigId, primary_key=True),
    sa.Column("login_id", BigId, sa.ForeignKey("access_logins.login_id"), nullable=False, index=True),
    sa.Column("role", sa.String(16), nullable=False),
    #: The role holds here and in everything below; NULL means the whole bank.
    sa.Column("branch_id", BigId, sa.ForeignKey("branches_branches.branch_id"), index=True),
    #: Whose till an operator works. No foreign key: the merchants package lies above this one.
    sa.Column("merchant_id", sa.BigInteger, index=True),
    #: An operator for a day, who charges and undoes and nothing else.
    sa.Column("only_charges", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("granted_at", UtcDateTime, nullable=False),
    sa.Column("granted_by", sa.String(32), nullable=False),
    sa.Column("revoked_at", UtcDateTime),
    sa.Column("revoked_by", sa.String(32)),
    sa.CheckConstraint("role IN ('resident', 'operator', 'helper', 'staff', 'auditor', 'admin')", name="role_known"),
    sa.CheckConstraint("(role = 'operator') = (merchant_id IS NOT NULL)", name="operator_has_merchant"),
    sa.CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked_whole"),
)

access_sessions = sa.Table(
    "access_sessions",
    metadata,
    sa.Column("session_id", BigId, primary_key=True),
    #: SHA-256 of the 256-bit id in the cookie.
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    sa.Column("login_id", BigId, sa.ForeignKey("access_logins.login_id"), nullable=False, index=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.Column("idle_seconds", sa.Integer, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("device", sa.String(200), nullable=False),
    sa.Column("revoked_at", UtcDateTime),
)

access_tokens = sa.Table(
    "access_tokens",
    metadata,
    sa.Column("token_id", BigId, primary_key=True),
    sa.Column("token_hash", sa.String(64), nullable=False, unique=True),
    #: The first characters, so that its owner recognises it in a list.
    sa.Column("hint", sa.String(16), nullable=False),
    sa.Column("login_id", BigId, sa.ForeignKey("access_logins.login_id"), nullable=False, index=True),
    sa.Column("name", sa.String(50), nullable=False),
    #: Space separated, sorted.
    sa.Column("scopes", sa.String(400), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
    sa.Column("used_at", UtcDateTime),
    sa.Column("revoked_at", UtcDateTime),
)

access_tries = sa.Table(
    "access_tries",
    metadata,
    #: SHA-256 of "name:<what was typed>" or "address:<where from>": what was typed may be a phone number.
    sa.Column("key", sa.String(64), primary_key=True),
    #: Tries begun and not yet proven right, since the window began.
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("window_started_at", UtcDateTime, nullable=False),
    #: How often in a row it was locked; each time doubles the next.
    sa.Column("locks", sa.Integer, nullable=False),
    sa.Column("locked_until_at", UtcDateTime),
)

#: What was done and seen, by whom and why (deeds.py); rows are only ever added.
access_deeds = sa.Table(
    "access_deeds",
    metadata,
    sa.Column("deed_id", BigId, primary_key=True),
    #: In whose access log the deed is a leaf; NULL: there was no book yet.
    sa.Column("book_id", sa.BigInteger),
    #: Where it was done; NULL: the whole bank.
    sa.Column("branch_id", sa.BigInteger),
    sa.Column("done_at", UtcDateTime, nullable=False),
    #: Who did it, as the ledger cites them: role and login; the system has no login.
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("login_id", sa.BigInteger),
    sa.Column("kind", sa.String(16), nullable=False),
    #: Whose data it is about. No foreign key: the residents package lies above this one.
    sa.Column("resident_id", sa.BigInteger),
    sa.Column("reason", sa.String(16)),
    #: What it is about, as kind and id: "session:12".
    sa.Column("about", sa.String(64), nullable=False),
    #: How many people a list showed.
    sa.Column("people", sa.Integer),
    #: Of its leaf, in hex; and the leaf's number among the facts of the access log.
    sa.Column("leaf_hash", sa.String(64)),
    sa.Column("fact_no", sa.BigInteger),
    sa.Index("ix_access_deeds_book_id", "book_id", "deed_id"),
    sa.Index("ix_access_deeds_book_id_fact_no", "book_id", "fact_no"),
    sa.Index("ix_access_deeds_resident_id", "resident_id", "deed_id"),
    sa.Index("ix_access_deeds_login_id", "login_id", "deed_id"),
)

#: What was written as a reason, with the salt of the commitment in the leaf. Forgetting a person deletes rows here.
access_deed_notes = sa.Table(
    "access_deed_notes",
    metadata,
    sa.Column("deed_id", BigId, sa.ForeignKey("access_deeds.deed_id"), primary_key=True, autoincrement=False),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("note", sa.String(200), nullable=False),
)
