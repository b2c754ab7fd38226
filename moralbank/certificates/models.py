"""The register of certificates and of their copies, and the keys that they are signed with.

What a certificate was stays: triggers let only its revocation or correction be written, once, and its content be taken
away when its holder is forgotten.
"""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

REASON_MAX = 200

keys = sa.Table(
    "certificates_keys",
    metadata,
    sa.Column("kid", sa.SmallInteger, primary_key=True, autoincrement=False),
    #: Ed25519: the private half as its 32 bytes of seed, and the public half.
    sa.Column("seed", sa.LargeBinary, nullable=False),
    sa.Column("public", sa.LargeBinary, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("retired_at", UtcDateTime),
    sa.CheckConstraint("kid BETWEEN 0 AND 255", name="kid_one_byte"),
)

certificates = sa.Table(
    "certificates_certificates",
    metadata,
    sa.Column("certificate_id", BigId, primary_key=True),
    sa.Column("book_id", sa.BigInteger, nullable=False),
    sa.Column("branch_id", sa.BigInteger, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
    sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
    #: "NS-00-2026-000017": the hub's code, the year, and a number without gaps in the book and year.
    sa.Column("number", sa.String(32), nullable=False),
    sa.Column("year", sa.SmallInteger, nullable=False),
    sa.Column("serial", sa.Integer, nullable=False),
    sa.Column("since_on", sa.Date, nullable=False),
    sa.Column("until_on", sa.Date, nullable=False),
    sa.Column("service_minutes", sa.BigInteger, nullable=False),
    #: What it says, as canonical JSON; emptied when its holder is forgotten.
    sa.Column("content", sa.Text, nullable=False),
    #: What the code calls it: at random, so that nobody counts certificates by their codes.
    sa.Column("document", sa.BigInteger, nullable=False, unique=True),
    #: Of the QR code: 132 characters that its check needs, and the twelve that people type.
    sa.Column("token", sa.String(132), nullable=False, unique=True),
    sa.Column("short_code", sa.String(12), nullable=False, unique=True),
    sa.Column("issued_at", UtcDateTime, nullable=False),
    sa.Column("issued_by", sa.String(64), nullable=False),
    sa.Column("voided_at", UtcDateTime),
    sa.Column("voided_by", sa.String(64)),
    sa.Column("void_reason", sa.String(REASON_MAX)),
    #: The certificate that stands in its place; None where it was revoked.
    sa.Column("corrected_by", sa.BigInteger, sa.ForeignKey("certificates_certificates.certificate_id")),
    sa.UniqueConstraint("book_id", "year", "serial"),
    sa.CheckConstraint("since_on <= until_on", name="period_forwards"),
    sa.CheckConstraint("service_minutes > 0", name="minutes_positive"),
    sa.CheckConstraint("(voided_at IS NULL) = (voided_by IS NULL)", name="voided_whole"),
    sa.CheckConstraint("corrected_by IS NULL OR voided_at IS NOT NULL", name="corrected_is_void"),
    sa.Index("ix_certificates_certificates_resident_id", "resident_id"),
    sa.Index("ix_certificates_certificates_branch_id", "branch_id", "certificate_id"),
)

#: Every copy that was handed out; rows are only added.
copies = sa.Table(
    "certificates_copies",
    metadata,
    sa.Column("certificate_id", sa.BigInteger, sa.ForeignKey("certificates_certificates.certificate_id"),
              primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    #: pdf, print or file.
    sa.Column("means", sa.String(8), nullable=False),
    sa.Column("made_at", UtcDateTime, nullable=False),
    sa.Column("made_by", sa.String(64), nullable=False),
    sa.CheckConstraint("means IN ('pdf', 'print', 'file')", name="means_known"),
)  # fmt: skip

#: What a volunteer's record holds beside services, as far as they wish: skills, training, commendations, evaluations.
facts = sa.Table(
    "certificates_facts",
    metadata,
    sa.Column("fact_id", BigId, primary_key=True),
    sa.Column("resident_id", sa.BigInteger, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
    sa.Column("kind", sa.String(12), nullable=False),
    sa.Column("on_day", sa.Date, nullable=False),
    sa.Column("words", sa.String(REASON_MAX), nullable=False),
    sa.Column("noted_at", UtcDateTime, nullable=False),
    sa.Column("noted_by", sa.String(64), nullable=False),
    sa.CheckConstraint("kind IN ('skill', 'training', 'commendation', 'evaluation')", name="kind_known"),
    sa.Index("ix_certificates_facts_resident_id", "resident_id", "fact_id"),
)
