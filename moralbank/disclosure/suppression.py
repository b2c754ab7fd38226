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
Part = TypeVar("Part", bound=Hashable)
_OWN = ("own", "")


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


def hidden_below(
    whole: Mapping[Name, Set[int]],
    parts: Mapping[Part, Mapping[Name, Set[int]]],
    own: Mapping[Name, Set[int]],
    unnamed: Set[Name],
    untold: Set[Part],
) -> dict[Part, set[Name]]:
    """Return which groups each part tells only together, so that none comes out of the whole's figures and its own.

    A part is a station below a hub, and both tell the same groups. A group that the whole doesn't tell no part tells;
    of one that it does tell, the parts' small ones stand together with as many more as they need, and with `own`,
    which is the whole's alone and told nowhere. What a part hides for that may need more hidden in it, and so on.

    unnamed: groups that have no figure for another reason. untold: parts that tell nothing at all.
    """
    above = hidden(whole, unnamed)
    kept = {part: set(groups) if part in untold else hidden(groups, above | unnamed) for part, groups in parts.items()}
    while True:
        before = sum(map(len, kept.values()))
        for name in whole.keys() - above:
            # A part is a text or a number, and never the pair that what is the whole's own stands as.
            beside: dict[Hashable, Set[int]] = {part: groups.get(name, set()) for part, groups in parts.items()}
            beside[_OWN] = own.get(name, set())
            for part in hidden(beside, {_OWN} | {part for part in parts if name in kept[part]}) - {_OWN}:
                kept[part].add(name)  # type: ignore[index]
        for part, groups in parts.items():
            kept[part] |= hidden(groups, kept[part])
        if sum(map(len, kept.values())) == before:
            return kept


def together(groups: Mapping[Name, Set[int]], names: Set[Name]) -> set[int]:
    """Return everybody in these groups."""
    return set().union(*(groups[name] for name in names))


def is_small(people: Set[int]) -> bool:
    """Tell whether a group may have no figure; nobody at all is no group."""
    return 0 < len(people) < LEAST
