"""Tables of activities. What a scan was is never changed: a mistaken one is marked as undone and stays."""

from __future__ import annotations

import sqlalchemy as sa

from moralbank.db import BigId, UtcDateTime, metadata

activities = sa.Table(
    "activities_activities",
    metadata,
    sa.Column("activity_id", BigId, primary_key=True),
    sa.Column("code", sa.String(32), nullable=False, unique=True),
    sa.Column("title", sa.String(100), nullable=False),
    sa.Column("rule_code", sa.String(16), nullable=False),
    sa.Column("branch_id", BigId, sa.ForeignKey("branches_branches.branch_id"), nullable=False, index=True),
    sa.Column("place", sa.String(100), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    #: Who runs it: a login of the bank, and the resident who leads it and earns the points for leading, if
    #: any.
    sa.Column("leader_login_id", sa.BigInteger),
    sa.Column("leader_resident_id", BigId, sa.ForeignKey("residents_residents.resident_id")),
    #: NULL: everybody who comes is welcome.
    sa.Column("capacity", sa.Integer),
    sa.Column("checkin_mode", sa.String(16), nullable=False),
    sa.Column("needs_signup", sa.Boolean, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("created_by", sa.String(64), nullable=False),
    sa.CheckConstraint("capacity > 0", name="capacity_positive"),
    sa.CheckConstraint("checkin_mode IN ('rotating', 'poster', 'desk', 'beneficiary')", name="mode_known"),
    sa.CheckConstraint("status IN ('draft', 'published', 'cancelled', 'closed')", name="status_known"),
)

sessions = sa.Table(
    "activities_sessions",
    metadata,
    sa.Column("session_id", BigId, primary_key=True),
    sa.Column("activity_id", BigId, sa.ForeignKey("activities_activities.activity_id"), nullable=False, index=True),
    sa.Column("starts_at", UtcDateTime, nullable=False, index=True),
    sa.Column("ends_at", UtcDateTime, nullable=False),
    #: Minutes around the planned start and end in which scans count.
    sa.Column("in_before_minutes", sa.Integer, nullable=False),
    sa.Column("in_after_minutes", sa.Integer, nullable=False),
    sa.Column("out_before_minutes", sa.Integer, nullable=False),
    sa.Column("out_after_minutes", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("head_count", sa.Integer),
    sa.Column("signed_off_by", sa.String(64)),
    sa.Column("signed_off_at", UtcDateTime),
    sa.CheckConstraint("ends_at > starts_at", name="ends_after_start"),
    sa.CheckConstraint("state IN ('open', 'signed_off', 'cancelled')", name="state_known"),
    sa.CheckConstraint("(state = 'signed_off') = (signed_off_at IS NOT NULL)", name="signed_off_whole"),
    sa.UniqueConstraint("activity_id", "starts_at"),
)

signups = sa.Table(
    "activities_signups",
    metadata,
    sa.Column("signup_id", BigId, primary_key=True),
    sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False),
    sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), nullable=False, index=True),
    sa.Column("state", sa.String(16), nullable=False),
    #: Of the last sign-up: who cancels and comes back queues at the end.
    sa.Column("signed_up_at", UtcDateTime, nullable=False),
    #: The resident who leads a team and put them on the list; NULL: they did themselves, or staff.
    sa.Column("signed_up_by", sa.BigInteger),
    sa.UniqueConstraint("session_id", "resident_id"),
    sa.CheckConstraint("state IN ('going', 'waiting', 'cancelled')", name="state_known"),
)

#: Sign-offs that wait for a second person, because the leader's word stands for much in them.
held_signoffs = sa.Table(
    "activities_held_signoffs",
    metadata,
    sa.Column("held_id", BigId, primary_key=True),
    sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False),
    #: [[resident, minutes], …] as the leader confirmed them; no minutes: as the scans say.
    sa.Column("decisions", sa.JSON, nullable=False),
    sa.Column("head_count", sa.Integer, nullable=False),
    sa.Column("closes_early", sa.Boolean, nullable=False),
    #: For how many people the leader's word stands.
    sa.Column("overridden", sa.Integer, nullable=False),
    sa.Column("asked_by", sa.String(64), nullable=False),
    sa.Column("asked_login_id", sa.BigInteger, nullable=False),
    sa.Column("asked_at", UtcDateTime, nullable=False),
    #: waiting, agreed, returned (by the second person), withdrawn (by the leader).
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.String(200)),
    sa.Column("decided_by", sa.String(64)),
    sa.Column("decided_at", UtcDateTime),
    sa.CheckConstraint("state IN ('waiting', 'agreed', 'returned', 'withdrawn')", name="state_known"),
    sa.CheckConstraint("(state = 'waiting') = (decided_by IS NULL)", name="decided_whole"),
    sa.CheckConstraint("(decided_at IS NULL) = (decided_by IS NULL)", name="decided_at_whole"),
    sa.CheckConstraint("state <> 'agreed' OR decided_by <> asked_by", name="two_people"),
    sa.Index("ix_activities_held_signoffs_session_id", "session_id"),
    sa.Index(
        "uq_activities_held_signoffs_one_waiting",
        "session_id",
        unique=True,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    ),
)

receipts = sa.Table(
    "activities_receipts",
    metadata,
    #: SHA-256 of the random 128 bits in the scanner's cookie: the table alone opens nothing.
    sa.Column("receipt_id", sa.String(64), primary_key=True),
    sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False),
    sa.Column("station", sa.Integer, nullable=False),
    #: NULL: by the person's state.
    sa.Column("direction", sa.String(3)),
    sa.Column("means", sa.String(16), nullable=False),
    sa.Column("scanned_at", UtcDateTime, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
    sa.Column("used_by", sa.BigInteger),
)

checkins = sa.Table(
    "activities_checkins",
    metadata,
    sa.Column("checkin_id", BigId, primary_key=True),
    sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False),
    sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), nullable=False, index=True),
    sa.Column("direction", sa.String(3), nullable=False),
    sa.Column("visit_no", sa.Integer, nullable=False),
    #: The caller's key of this one scan, kept whatever becomes of it: the same scan sent twice is one scan.
    sa.Column("nonce", sa.String(100), nullable=False, unique=True),
    #: The instant that counts: of the scan, not of the login after it.
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("recorded_at", UtcDateTime, nullable=False),
    sa.Column("means", sa.String(16), nullable=False),
    #: Not credited before the leader has confirmed it.
    sa.Column("pending", sa.Boolean, nullable=False),
    sa.Column("doubt", sa.String(16)),
    sa.Column("reason", sa.String(200)),
    sa.Column("actor", sa.String(64), nullable=False),
    #: SHA-256 of the phone's cookie; NULL at the desk.
    sa.Column("device", sa.String(64)),
    sa.Column("station", sa.Integer, nullable=False),
    sa.Column("undone_at", UtcDateTime),
    sa.Column("undone_by", sa.String(64)),
    sa.CheckConstraint("direction IN ('in', 'out')", name="direction_known"),
    sa.CheckConstraint("visit_no > 0", name="visit_from_one"),
    sa.CheckConstraint("(undone_at IS NULL) = (undone_by IS NULL)", name="undone_whole"),
    sa.Index("ix_activities_checkins_session_id_device", "session_id", "device"),
)
#: The gate: one check-in and one check-out a visit, whatever is scanned at once on however many phones.
sa.Index(
    "uq_activities_checkins_one_scan",
    checkins.c.session_id,
    checkins.c.resident_id,
    checkins.c.direction,
    checkins.c.visit_no,
    unique=True,
    sqlite_where=checkins.c.undone_at.is_(None),
    postgresql_where=checkins.c.undone_at.is_(None),
)

awards = sa.Table(
    "activities_awards",
    metadata,
    sa.Column("award_id", BigId, primary_key=True),
    sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False),
    sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), nullable=False),
    #: "attendance", "leading" or "first-service".
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("rule_code", sa.String(16), nullable=False),
    sa.Column("rule_version", sa.Integer, nullable=False),
    sa.Column("occurred_on", sa.Date, nullable=False),
    sa.Column("grade", sa.String(1), nullable=False),
    sa.Column("reason", sa.String(64), nullable=False),
    #: Names of the caps that took something, joined by spaces.
    sa.Column("capped_by", sa.String(200), nullable=False),
    sa.Column("review", sa.Boolean, nullable=False),
    #: NULL: nothing was posted.
    sa.Column("entry_id", sa.Uuid),
    #: What the caps of the same day, month and year have to know.
    sa.Column("counted_times", sa.Integer, nullable=False),
    sa.Column("surplus_points", sa.BigInteger, nullable=False),
    sa.Column("points", sa.BigInteger, nullable=False),
    sa.Column("present_minutes", sa.BigInteger, nullable=False),
    sa.Column("counted_minutes", sa.BigInteger, nullable=False),
    sa.Column("service_minutes", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("session_id", "resident_id", "kind"),
    sa.Index("ix_activities_awards_resident_id_occurred_on", "resident_id", "occurred_on"),
)
#: What staff entered for somebody of whom no scan is on record. Who asked and who agreed stands with the request; these
#: rows say for what, and what became of it once it was agreed to.
late_entries = sa.Table(
    "activities_late_entries",
    metadata,
    sa.Column("late_id", BigId, primary_key=True),
    sa.Column("request_id", BigId, sa.ForeignKey("approvals_requests.request_id"), nullable=False, unique=True),
    sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False, index=True),
    sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), nullable=False, index=True),
    sa.Column("branch_id", BigId, sa.ForeignKey("branches_branches.branch_id"), nullable=False),
    #: The first day of the session's month, whose quota it counts towards.
    sa.Column("month", sa.Date, nullable=False),
    sa.Column("came_at", UtcDateTime, nullable=False),
    sa.Column("left_at", UtcDateTime, nullable=False),
    #: The minutes of it within the plan.
    sa.Column("minutes", sa.Integer, nullable=False),
    #: What it is known from: a photo, a signed sheet, who saw them.
    sa.Column("evidence", sa.String(200), nullable=False),
    #: The resident leads the activity or shares the leader's home.
    sa.Column("is_related", sa.Boolean, nullable=False),
    #: NULL: nothing came of it yet. posted; void (the rules gave nothing); withdrawn; objected.
    sa.Column("outcome", sa.String(16)),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("ended_by", sa.String(64)),
    #: Why it was objected to, or the reason of the rules.
    sa.Column("note", sa.String(200)),
    sa.CheckConstraint("left_at > came_at", name="left_after_coming"),
    sa.CheckConstraint("minutes > 0", name="minutes_positive"),
    sa.CheckConstraint("outcome IN ('posted', 'void', 'withdrawn', 'objected')", name="outcome_known"),
    sa.CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended_whole"),
    sa.Index("ix_activities_late_entries_branch_id_month", "branch_id", "month"),
)
#: That the leader asked in the middle of a session who is there.
spot_checks = sa.Table(
    "activities_spot_checks",
    metadata,
    sa.Column("spot_id", BigId, primary_key=True),
    sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False, index=True),
    sa.Column("opened_at", UtcDateTime, nullable=False),
    sa.Column("closes_at", UtcDateTime, nullable=False, index=True),
    sa.Column("opened_by", sa.String(64), nullable=False),
    sa.CheckConstraint("closes_at > opened_at", name="closes_after_opening"),
)

spot_answers = sa.Table(
    "activities_spot_answers",
    metadata,
    sa.Column("spot_id", BigId, sa.ForeignKey("activities_spot_checks.spot_id"), primary_key=True),
    sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), primary_key=True, index=True),
    sa.Column("answered_at", UtcDateTime, nullable=False),
    #: The resident, or who ticked them.
    sa.Column("actor", sa.String(64), nullable=False),
    #: SHA-256 of the phone's cookie; NULL where staff ticked.
    sa.Column("device", sa.String(64)),
)
#: Who is helped in a session of that mode, for staff and the helped person alone.
helped = sa.Table(
    "activities_helped",
    metadata,
    sa.Column("helped_id", BigId, primary_key=True),
    sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False),
    #: The byte of their codes in which others carry the station.
    sa.Column("number", sa.Integer, nullable=False),
    #: NULL: no resident of the bank.
    sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), index=True),
    #: What staff calls somebody who is no resident; blanked a month after the session.
    sa.Column("label", sa.String(50), nullable=False),
    #: SHA-256 of the secret in the address of their page.
    sa.Column("secret_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("made_at", UtcDateTime, nullable=False),
    sa.Column("revoked_at", UtcDateTime),
    sa.UniqueConstraint("session_id", "number"),
    sa.CheckConstraint("number BETWEEN 1 AND 255", name="number_one_byte"),
)

#: Scans of which the helped person said that they are so.
helped_confirms = sa.Table(
    "activities_helped_confirms",
    metadata,
    sa.Column("checkin_id", BigId, sa.ForeignKey("activities_checkins.checkin_id"), primary_key=True),
    sa.Column("confirmed_at", UtcDateTime, nullable=False),
)

#: How often an activity was given which rating in a month. Nothing tells by whom, for whom, or when.
ratings = sa.Table(
    "activities_ratings",
    metadata,
    sa.Column("activity_id", BigId, sa.ForeignKey("activities_activities.activity_id"), primary_key=True),
    sa.Column("month", sa.Date, primary_key=True),
    sa.Column("rating", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.CheckConstraint("rating BETWEEN 1 AND 3", name="rating_known"),
    sa.CheckConstraint("times > 0", name="times_positive"),
)

posters = sa.Table(
    "activities_posters",
    metadata,
    #: The serial printed on the paper.
    sa.Column("serial", BigId, primary_key=True),
    sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False, index=True),
    sa.Column("printed_at", UtcDateTime, nullable=False),
    sa.Column("printed_by", sa.String(64), nullable=False),
    sa.Column("revoked_at", UtcDateTime),
    sa.Column("revoked_by", sa.String(64)),
)

qr_keys = sa.Table(
    "activities_qr_keys",
    metadata,
    sa.Column("kid", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("secret", sa.LargeBinary, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("retired_at", UtcDateTime),
    sa.CheckConstraint("kid BETWEEN 0 AND 255", name="kid_one_byte"),
)

#: The address of a resident's own calendar: whoever knows the secret may read it, so only its hash is kept.
feeds = sa.Table(
    "activities_feeds",
    metadata,
    sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), primary_key=True),
    sa.Column("secret_hash", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("made_at", UtcDateTime, nullable=False),
)

#: A phone of the desk, known by the public half of a key that never leaves it.
devices = sa.Table(
    "activities_devices",
    metadata,
    sa.Column("device_id", BigId, primary_key=True),
    #: A point on P-256, uncompressed.
    sa.Column("public_key", sa.LargeBinary, nullable=False, unique=True),
    #: What kind of phone it is, as its browser says.
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("branch_id", BigId, sa.ForeignKey("branches_branches.branch_id"), nullable=False, index=True),
    sa.Column("registered_at", UtcDateTime, nullable=False),
    sa.Column("registered_by", sa.String(64), nullable=False),
    sa.Column("revoked_at", UtcDateTime),
    sa.Column("revoked_by", sa.String(64)),
    sa.CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked_whole"),
)

#: Every scan that a phone kept while there was no network, whatever became of it.
device_scans = sa.Table(
    "activities_device_scans",
    metadata,
    sa.Column("scan_id", BigId, primary_key=True),
    sa.Column("nonce", sa.String(36), nullable=False, unique=True),
    sa.Column("device_id", BigId, sa.ForeignKey("activities_devices.device_id"), nullable=False),
    sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False),
    #: NULL: nobody was found under the code.
    sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), index=True),
    #: What was scanned, where nobody was found under it.
    sa.Column("code", sa.String(40)),
    sa.Column("direction", sa.String(3)),
    #: By the phone's clock; sent_at by the same clock, received_at by ours: the difference is what it is wrong by.
    sa.Column("device_time", UtcDateTime, nullable=False),
    sa.Column("sent_at", UtcDateTime, nullable=False),
    sa.Column("received_at", UtcDateTime, nullable=False),
    #: The instant that counts, by our clock.
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("means", sa.String(16), nullable=False),
    #: The phone's count of its scans, and the hash of the one before and of this.
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("prev_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    #: Why somebody must look at it.
    sa.Column("cause", sa.String(16)),
    sa.Column("checkin_id", BigId, sa.ForeignKey("activities_checkins.checkin_id"), index=True),
    sa.Column("uploaded_by", sa.String(64), nullable=False),
    sa.Column("reason", sa.String(200)),
    sa.Column("decided_by", sa.String(64)),
    sa.Column("decided_at", UtcDateTime),
    sa.CheckConstraint("state IN ('counted', 'already', 'review', 'accepted', 'dismissed')", name="state_known"),
    sa.CheckConstraint("(state = 'review') = (cause IS NOT NULL AND decided_at IS NULL)", name="review_whole"),
    sa.CheckConstraint("(decided_at IS NULL) = (decided_by IS NULL)", name="decided_whole"),
    sa.Index("ix_activities_device_scans_session_id_state", "session_id", "state"),
    sa.Index("ix_activities_device_scans_device_id_seq", "device_id", "seq"),
)

#: A printed roster that somebody typed in, and that counts once another person has compared it with the paper.
papers = sa.Table(
    "activities_papers",
    metadata,
    sa.Column("paper_id", BigId, primary_key=True),
    sa.Column("session_id", BigId, sa.ForeignKey("activities_sessions.session_id"), nullable=False, index=True),
    sa.Column("entered_by", sa.String(64), nullable=False),
    sa.Column("entered_at", UtcDateTime, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("decided_by", sa.String(64)),
    sa.Column("decided_at", UtcDateTime),
    sa.CheckConstraint("state IN ('waiting', 'confirmed', 'refused')", name="state_known"),
    sa.CheckConstraint("(state = 'waiting') = (decided_by IS NULL)", name="decided_whole"),
)

paper_lines = sa.Table(
    "activities_paper_lines",
    metadata,
    sa.Column("paper_id", BigId, sa.ForeignKey("activities_papers.paper_id"), primary_key=True),
    sa.Column("resident_id", BigId, sa.ForeignKey("residents_residents.resident_id"), primary_key=True),
    sa.Column("came_at", UtcDateTime, nullable=False),
    #: NULL: no tick for having left.
    sa.Column("left_at", UtcDateTime),
)
