"""The books of points and of service minutes: append-only, double entry. Knows no people and no Flask.

This is the door: what is not named here is the ledger's own affair.
"""

from moralbank.ledger.books import (
    book_of,
    close_day,
    closed_through,
    count_accounts,
    find_account,
    hold_account,
    internal_account,
    list_accounts,
    list_books,
    open_accounts,
    open_book,
    resume_numbers,
)
from moralbank.ledger.days import KindTotals, first_day, totals_of_day
from moralbank.ledger.errors import (
    AlreadyReversed,
    BadAmount,
    BadDraft,
    DayClosed,
    EntryExists,
    InsufficientBalance,
    KeyReused,
    NotReversible,
    OtherBook,
    SecondPersonNeeded,
    SourcePosted,
    Unbalanced,
    UnknownAccount,
    UnknownBook,
    UnknownEntry,
)
from moralbank.ledger.expiry import EXPIRY_NOTICE, Notice, available, list_fresh_notices, list_notices
from moralbank.ledger.forgetting import forget_private
from moralbank.ledger.leaf import canonical, instant, leaf_hash
from moralbank.ledger.leaves import ENDLESS, Behind, behind, count_entries, last_seqs, list_leaves, posters, seq_of
from moralbank.ledger.looking import Looked, looking
from moralbank.ledger.lot_reading import drawn_until, open_lots
from moralbank.ledger.lots import Lot, expiring, lots
from moralbank.ledger.openings import Opening, list_openings
from moralbank.ledger.periods import PeriodLine, PeriodSection, account_page, section_of, stream_sections
from moralbank.ledger.posting import Verdict, decide_many, post, post_many, reverse
from moralbank.ledger.reading import (
    EntryFilter,
    EntrySums,
    TrialRow,
    asking_balance,
    balance,
    balances,
    find_entry,
    get_entry,
    history,
    list_entries,
    movements,
    outstanding,
    sum_entries,
    trial_balance,
)
from moralbank.ledger.rows import reversed_ones
from moralbank.ledger.shown_lines import asking_shown
from moralbank.ledger.spans import (
    AccountSum,
    AwardInSpan,
    SpanSum,
    awards_of_span,
    outstanding_by_account,
    sums_by_account,
    sums_of_span,
)
from moralbank.ledger.streams import (
    ClosedDay,
    Month,
    closing_evidence,
    list_closed_days,
    list_private_parts,
    list_reversed,
    stream_accounts,
    stream_balances,
    stream_differences,
    stream_keys,
    stream_months,
    stream_notices,
    two_people_from,
)
from moralbank.ledger.tail import last_posted_at, verify_tail
from moralbank.ledger.taking_back import take_back
from moralbank.ledger.values import (
    GRADES,
    KINDS,
    MAX_AMOUNT,
    TWO_PEOPLE,
    Account,
    AccountKind,
    Balance,
    Book,
    Draft,
    Entry,
    Leg,
    Line,
    Posted,
    PostedLeg,
    Unit,
    login_of,
)
from moralbank.ledger.verify import Fault, Report, verify

__all__ = [
    "ENDLESS", "EXPIRY_NOTICE", "GRADES", "KINDS", "MAX_AMOUNT", "TWO_PEOPLE",
    "Account", "AccountKind", "AccountSum", "AlreadyReversed", "AwardInSpan", "BadAmount", "BadDraft", "Balance",
    "Behind", "Book", "ClosedDay", "DayClosed", "Draft", "Entry", "EntryExists", "EntryFilter", "EntrySums", "Fault",
    "InsufficientBalance", "KeyReused", "KindTotals", "Leg", "Line", "Looked", "Lot", "Month", "NotReversible",
    "Notice", "Opening", "OtherBook", "PeriodLine", "PeriodSection", "Posted", "PostedLeg", "Report",
    "SecondPersonNeeded", "SourcePosted", "SpanSum", "TrialRow", "Unbalanced", "Unit", "UnknownAccount",
    "UnknownBook", "UnknownEntry", "Verdict",
    "account_page", "asking_balance", "asking_shown", "available", "awards_of_span", "balance", "balances", "behind",
    "book_of", "canonical", "close_day", "closed_through", "closing_evidence", "count_accounts", "count_entries",
    "decide_many", "drawn_until", "expiring", "find_account", "find_entry", "first_day", "forget_private",
    "get_entry", "history", "hold_account", "instant", "internal_account", "last_posted_at", "last_seqs", "leaf_hash",
    "list_accounts", "list_books", "list_closed_days", "list_entries", "list_fresh_notices", "list_leaves",
    "list_notices", "list_openings", "list_private_parts", "list_reversed", "login_of", "looking", "lots",
    "movements", "open_accounts", "open_book", "open_lots", "outstanding", "outstanding_by_account", "post",
    "post_many", "posters", "resume_numbers", "reverse", "reversed_ones", "section_of", "seq_of", "stream_accounts",
    "stream_balances", "stream_differences", "stream_keys", "stream_months", "stream_notices", "stream_sections",
    "sum_entries", "sums_by_account", "sums_of_span", "take_back", "totals_of_day", "trial_balance",
    "two_people_from", "verify", "verify_tail",
]  # fmt: skip
