"""Does deeds in the order of their instants, each with the clock at its own. Knows nothing of what they are."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count

from moralbank import clock

Deed = Callable[[], object]


class Diary:
    """Deeds that wait for their instant; a deed may write further ones in."""

    def __init__(self) -> None:
        self._waiting: list[tuple[datetime, int, Deed]] = []
        self._numbers = count()

    def at(self, instant: datetime, deed: Deed) -> None:
        """Write a deed in. One for an instant that is over is done next."""
        heapq.heappush(self._waiting, (instant, next(self._numbers), deed))

    def live(self, until: datetime) -> None:
        """Do everything up to an instant; what comes later is never done."""
        while self._waiting and self._waiting[0][0] <= until:
            instant, _, deed = heapq.heappop(self._waiting)
            with clock.at(instant):
                deed()
