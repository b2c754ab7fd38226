"""Which points expire when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from moralbank.ledger import expiring, lots


@dataclass(frozen=True)
class Movement:
    seq: int
    amount: int
    expires_on: date | None = None
    reverses: UUID | None = None

    @property
    def entry_id(self) -> UUID:
        return UUID(int=self.seq)


MARCH, APRIL, MAY = date(2029, 3, 1), date(2029, 4, 1), date(2029, 5, 1)


def rests(*movements: Movement) -> list[tuple[int, int]]:
    return [(lot.seq, lot.rest) for lot in lots(movements)]


def test_what_expires_first_is_spent_first() -> None:
    assert rests(Movement(1, 10, MAY), Movement(2, 10, MARCH), Movement(3, -12)) == [(1, 8)]


def test_points_that_never_expire_are_spent_last() -> None:
    assert rests(Movement(1, 10), Movement(2, 10, MAY), Movement(3, -12)) == [(1, 8)]


def test_of_two_lots_of_one_day_the_older_is_spent_first() -> None:
    assert rests(Movement(1, 10, MAY), Movement(2, 10, MAY), Movement(3, -12)) == [(2, 8)]


def test_an_undone_redemption_gives_back_to_the_lots_it_was_drawn_from() -> None:
    """Otherwise every undo would give old points a new life."""
    moved = [Movement(1, 10, MARCH), Movement(2, 10, MAY), Movement(3, -12)]
    assert rests(*moved, Movement(4, 12, reverses=UUID(int=3))) == [(1, 10), (2, 10)]


def test_part_of_a_redemption_comes_back_to_the_lot_it_was_drawn_from_last() -> None:
    """What is bought again with it is then paid as if the part had never been spent."""
    moved = [Movement(1, 10, MARCH), Movement(2, 10, MAY), Movement(3, -15)]
    assert rests(*moved, Movement(4, 7, reverses=UUID(int=3))) == [(1, 2), (2, 10)]


def test_a_reversed_award_takes_its_own_points_first() -> None:
    moved = [Movement(1, 10, MARCH), Movement(2, 10, MAY)]
    assert rests(*moved, Movement(3, -10, reverses=UUID(int=2))) == [(1, 10)]


def test_a_reversed_award_that_was_partly_spent_takes_the_rest_from_others() -> None:
    moved = [Movement(1, 10, MARCH), Movement(2, -4), Movement(3, 10, MAY)]
    assert rests(*moved, Movement(4, -10, reverses=UUID(int=1))) == [(3, 6)]


def test_an_expiry_does_not_collapse_the_balance() -> None:
    """FloCafe #78: unexpired credits minus all debits would give −10 here instead of 10."""
    moved = [Movement(1, 20, MARCH), Movement(2, -20), Movement(3, 10, MAY)]
    assert rests(*moved) == [(3, 10)]


def test_expiring_counts_what_is_gone_when_the_day_begins() -> None:
    left = lots([Movement(1, 10, MARCH), Movement(2, 5, APRIL), Movement(3, 2)])
    assert [expiring(left, day) for day in (date(2029, 2, 28), MARCH, APRIL, MAY)] == [0, 10, 15, 15]


@given(
    st.lists(st.tuples(st.integers(-50, 50).filter(bool), st.sampled_from([None, MARCH, APRIL, MAY]), st.booleans()))
)
def test_lots_add_up_to_the_balance_at_every_instant(steps) -> None:
    moved: list[Movement] = []
    balance, reversed_ones = 0, set()
    for amount, expires_on, is_reversal in steps:
        seq = len(moved) + 1
        open_ones = [m for m in moved if m.reverses is None and m.entry_id not in reversed_ones]
        if is_reversal and open_ones:
            original = open_ones[seq % len(open_ones)]
            step = Movement(seq, -original.amount, None, original.entry_id)
        else:
            step = Movement(seq, amount, expires_on if amount > 0 else None)
        if balance + step.amount < 0:
            continue
        reversed_ones.add(step.reverses)
        balance += step.amount
        moved.append(step)
        left = lots(moved)
        assert sum(lot.rest for lot in left) == balance
        assert all(lot.rest > 0 for lot in left)
        assert [lot.expires_on or date.max for lot in left] == sorted(lot.expires_on or date.max for lot in left)
