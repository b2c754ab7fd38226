"""The hand-over file: a resident's whole service record, for them to take along, as CSV and JSON. Free.

Source: 民政部令第67号, the fields of a volunteer's record. Fields that the bank does not keep are there and empty, so
that the file has the same columns everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from moralbank.certificates.facts import Fact
from moralbank.certificates.records import Recorded
from moralbank.certificates.values import Person, stars

FORMAT = "moralbank-service-record/1"
#: Column of the CSV, and name in the JSON.
_PERSON = (
    ("姓名", "name"),
    ("性别", "sex"),
    ("出生日期", "born_on"),
    ("身份证件号码", "identity_number"),
    ("志愿者编号", "volunteer_number"),
    ("居住区域", "area"),
    ("联系方式", "volunteer_contact"),
    ("服务技能", "skills"),
    ("志愿者类别", "category"),
)
_SERVICE = (
    ("行号", "line"),
    ("服务日期", "on"),
    ("活动名称", "activity"),
    ("服务地点", "place"),
    ("服务内容", "content"),
    ("服务时间（分钟）", "minutes"),
    ("组织单位", "organiser"),
    ("负责人", "leader"),
)
_RECORD = (
    ("录入日期", "entered_on"),
    ("积分规则", "rule"),
    ("证据等级", "grade"),
)
_NOTED = (
    ("培训", "training"),
    ("表彰奖励", "commendation"),
    ("评价", "evaluation"),
)


def as_json(person: Person, records: Sequence[Recorded], noted: Sequence[Fact], total_minutes: int) -> dict[str, Any]:
    """Return the record as one object."""
    return {
        "format": FORMAT,
        "person": {name: _of_person(person, name) for _, name in _PERSON} | {"skills": _words(noted, "skill")},
        "total_minutes": total_minutes,
        "stars": stars(total_minutes),
        "services": [
            {name: getattr(one.service, name) for _, name in _SERVICE}
            | {name: str(getattr(one, name)) for _, name in _RECORD}
            for one in records
        ],
        **{
            name: [{"on": f"{one.on_day}", "words": one.words} for one in noted if one.kind == name]
            for _, name in _NOTED
        },
    }


def as_rows(person: Person, records: Sequence[Recorded], noted: Sequence[Fact]) -> Iterator[list[str | int]]:
    """Yield a head and a row per service, each with whose it is; somebody without a service has one row."""
    yield [column for column, _ in (*_PERSON, *_NOTED, *_SERVICE, *_RECORD)]
    whose: list[str | int] = [_of_person(person, name) for _, name in _PERSON]
    whose[[name for _, name in _PERSON].index("skills")] = _words(noted, "skill")
    whose += [_words(noted, name) for _, name in _NOTED]
    if not records:
        yield [*whose, *[""] * (len(_SERVICE) + len(_RECORD))]
    for one in records:
        services: list[str | int] = [getattr(one.service, name) for _, name in _SERVICE]
        yield [*whose, *services, *(str(getattr(one, name)) for _, name in _RECORD)]


def _of_person(person: Person, name: str) -> str:
    return str(getattr(person, name, ""))


def _words(noted: Sequence[Fact], kind: str) -> str:
    return "；".join(one.words for one in noted if one.kind == kind)
