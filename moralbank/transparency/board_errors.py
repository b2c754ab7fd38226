"""What is refused of a root that somebody copied by hand."""

from __future__ import annotations

from moralbank.errors import N_, Invalid


class BoardCharacterUnknown(Invalid):
    """A character that is in no root."""

    code = "board-character-unknown"
    title = N_("有一个字打错了")
    sentence = N_("第 {place} 个字“{character}”不会出现在公示栏上。请对照公示栏，改正这个字。")


class BoardLength(Invalid):
    code = "board-length"
    title = N_("字数不对")
    sentence = N_("打了 {count} 个，应是 {wanted} 个。请对照公示栏，看漏了哪个、多了哪个。")


class BoardMistyped(Invalid):
    """The check bits say that a character is wrong, and not which."""

    code = "board-mistyped"
    title = N_("有字打错了")
    sentence = N_("这 24 个字里至少有一个打错了，或者两个字换了位置。请对照公示栏，一组一组再看一遍。")
