"""The code on an issued statement: what it names, how it is signed, and which statement a code or a number is of.

The code's document is the period and the account in one number, and its digest the first half of the content's hash, of
which the paper shows the first digits: who scans it without the bank still sees whose number and which content it is.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection

from moralbank import ledger
from moralbank.certificates import service as certificates
from moralbank.certificates import tokens
from moralbank.certificates.service import PaperKeys
from moralbank.certificates.tokens import Token
from moralbank.statements.errors import PeriodMalformed
from moralbank.statements.issued import Issued, find_issued, full_account
from moralbank.statements.periods import Period, read_period

#: What is left of 64 bits for the account below the period.
_ACCOUNT_BITS = 46
#: A year has 17 periods: itself, its months, its quarters.
_PERIODS = 17
_DIGEST_BYTES = 16


def find_address(db: Connection, one: Issued, public_url: str) -> str | None:
    """Return the address in a statement's code, the same each time; None while the bank has no key to sign with."""
    return address_of(certificates.paper_keys(db), one, public_url)


def address_of(keys: PaperKeys, one: Issued, public_url: str) -> str | None:
    """As find_address, with keys that were read before: for many statements at once."""
    document = document_of(one.account, one.period)
    digest = one.content_hash[:_DIGEST_BYTES]
    token = keys.sign(tokens.STATEMENT, document, digest, one.issued_at)
    return None if token is None else f"{public_url}/v/{token}"


def find_by_code(db: Connection, token: Token) -> Issued | None:
    """Return the statement of a code that the bank signed, or None when none with this content was issued."""
    named = read_document(token.document)
    if named is None:
        return None
    account, period = named
    found = find_issued(db, ledger.book_of(account), account, period)
    if found is None or found.content_hash[:_DIGEST_BYTES] != token.digest:
        return None
    return found if tokens.seconds_of(found.issued_at) == token.issued_seconds else None


def find_by_number(db: Connection, number: str, mark: str) -> Issued | None:
    """Return the statement whose number and check of the content somebody typed from the paper, or None."""
    name, _, account = "".join(number.split()).upper().rpartition("-")
    digits = "".join(mark.split()).upper()
    if not (account.isascii() and account.isdigit() and len(account) <= 10):
        return None
    try:
        period = read_period(name)
    except PeriodMalformed:
        return None
    for book in ledger.list_books(db):
        found = find_issued(db, book.book_id, full_account(book.book_id, int(account)), period)
        if found is not None and "".join(found.mark.split()) == digits:
            return found
    return None


def document_of(account: int, period: Period) -> int:
    """Return what the code calls a statement: the period above, the account below."""
    assert account < 1 << _ACCOUNT_BITS, "a book's number is small"
    within = {"year": 0, "month": period.first.month, "quarter": 13 + period.first.month // 3}[period.kind]
    return (period.first.year * _PERIODS + within) << _ACCOUNT_BITS | account


def read_document(document: int) -> tuple[int, Period] | None:
    """Return account and period of a document, or None where it names none."""
    year, within = divmod(document >> _ACCOUNT_BITS, _PERIODS)
    if not 1000 <= year <= 9999:
        return None
    account = document & (1 << _ACCOUNT_BITS) - 1
    if within == 0:
        return account, Period(f"{year}", date(year, 1, 1))
    if within > 12:
        return account, read_period(f"{year}-Q{within - 12}")
    return account, read_period(f"{year}-{within:02}")
