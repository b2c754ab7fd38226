"""Which groups are large enough to have a figure of their own. Pure.

A group of fewer than five people is in a figure only together with others, and never so that taking all other figures
from the total would leave fewer than five.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Set
from typing import TypeVar

#: The smallest group that has a figure of its own.
LEAST = 5

Name = TypeVar("Name", bound=Hashable)


def hidden(groups: Mapping[Name, Set[int]], also: Set[Name] = frozenset()) -> set[Name]:
    """Return the groups that are told only together: the small ones, and of the others as many as they need.

    also: groups that have no figure of their own for another reason. When even all groups together have fewer than
    five people, all are hidden, and their total must be hidden too.
    """
    found = {name for name, people in groups.items() if people and (len(people) < LEAST or name in also)}
    while found and len(together(groups, found)) < LEAST:
        others = [name for name in groups if name not in found and groups[name]]
        if not others:
            break
        found.add(min(others, key=lambda name: (len(groups[name]), str(name))))
    return found


def together(groups: Mapping[Name, Set[int]], names: Set[Name]) -> set[int]:
    """Return everybody in these groups."""
    return set().union(*(groups[name] for name in names))


def is_small(people: Set[int]) -> bool:
    """Tell whether a group may have no figure; nobody at all is no group."""
    return 0 < len(people) < LEAST
