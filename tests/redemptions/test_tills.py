"""A few rounds of what scripts/tills does a thousand times."""

from __future__ import annotations

from tests._people import sign_in
from tests.redemptions import _tills


def test_one_code_at_two_tills_and_an_answer_lost_at_every_cut_are_one_charge_each(app, database, street) -> None:
    assert _tills.two_tills(database, street, 10) == 10
    counter = app.test_client()
    sign_in(counter, street.li)
    assert set(_tills.lost_answers(database, street, counter)) == set(_tills.CUTS)
