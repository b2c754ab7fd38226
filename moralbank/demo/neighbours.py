"""Makes up the people: names from lists of common ones, households, ages, phones. Touches no database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import count
from random import Random

_FAMILY_NAMES = (
    "王 李 张 刘 陈 杨 黄 赵 吴 周 徐 孙 马 朱 胡 郭 何 林 高 罗 郑 梁 谢 宋 唐 许 韩 冯 邓 曹 彭 曾 肖 田 董 袁 潘 于 "
    "蒋 蔡 余 杜 叶 程 苏 魏 吕 丁 任 沈 欧阳 诸葛 司马"
).split()
_OLD_NAMES = {
    "女": "秀英 桂英 玉兰 淑珍 凤英 玉梅 桂兰 秀珍 翠兰 素芳 慧珍 金凤 月娥 美华 佩芬".split(),
    "男": "建国 国强 志明 德福 永福 文华 振华 志强 正明 金生 长林 庆祥 保田 广和 树德".split(),
}
_NAMES = {
    "女": "丽 娟 敏 静 燕 红梅 海燕 晓燕 雪梅 丽娜 婷 佳怡 雨欣 思琪 梦瑶 晓琳 春霞 文静 雅楠 若曦".split(),
    "男": "伟 强 磊 军 勇 涛 明 超 建平 志刚 海波 俊杰 浩然 子轩 宇航 文博 晓东 立新 家豪 一鸣".split(),
}
_YOUNG_NAMES = {
    "女": "雨桐 欣怡 梓涵 诗涵 可馨 语嫣 若溪 一诺".split(),
    "男": "子墨 浩宇 梓轩 宇辰 俊熙 博文 天佑 一凡".split(),
}
_ELDER_FROM, _YOUNG_UNTIL = 60, 22
#: Ages of the members, and how many households in a hundred are like that.
_HOUSEHOLDS: tuple[tuple[int, tuple[tuple[int, int], ...]], ...] = (
    (24, ((62, 90),)),
    (20, ((62, 84), (60, 82))),
    (14, ((24, 45),)),
    (14, ((28, 50), (26, 48))),
    (16, ((32, 50), (30, 48), (9, 17))),
    (12, ((34, 52), (32, 50), (9, 17), (64, 88))),
)
#: The station and how many households in a hundred belong to it; the rest are the hub's own.
_BRANCHES = {"NS-01": 22, "NS-02": 18, "NS-03": 18, "NS-04": 14, "NS-05": 12, "NS-06": 12, "NS-00": 4}
#: How readily people come to activities: most hardly ever, a few nearly always.
_EAGERNESS = ((50, 0.0), (25, 1.0), (17, 3.0), (8, 9.0))
_SHARES_PHONE_FROM, _PHONE_FROM = 74, 14


@dataclass(slots=True, eq=False)
class Neighbour:
    """Somebody who doesn't exist, and what becomes of them in the bank."""

    name: str
    sex: str
    born_on: date
    branch: str
    household: str
    grid: str
    building: str
    phone: str | None
    guardian: tuple[str, str] | None = None
    party_member: bool = False
    eagerness: float = 0.0
    #: What the old paper sheets owed them; None means that they come after the opening, one by one.
    opening_points: int | None = None
    #: The bank's side, once they are enrolled.
    resident_id: int = 0
    card_number: str = ""
    login_id: int | None = None
    balance: int = 0
    #: When they are somewhere already.
    busy: list[tuple[datetime, datetime]] = field(default_factory=list)

    def age(self, on: date) -> int:
        return on.year - self.born_on.year - ((on.month, on.day) < (self.born_on.month, self.born_on.day))


def make_up(random: Random, number: int, first_on: date) -> list[Neighbour]:
    """Return so many people of whole households, beginning with the cast that the demonstration names."""
    phones = (f"1390001{tail:04d}" for tail in count(1))
    people = _cast(first_on, phones)
    households = count(101)
    while len(people) < number:
        people += _household(random, first_on, phones, next(households))[: number - len(people)]
    return people


def _cast(on: date, phones: Iterator[str]) -> list[Neighbour]:
    """Return those whom the card and activities.csv name."""

    def one(name: str, sex: str, age: int, branch: str, household: int, phone: str | None) -> Neighbour:
        born_on = on.replace(year=on.year - age) - timedelta(days=37 + age)
        home = f"{branch}-{household:04d}"
        return Neighbour(name, sex, born_on, branch, home, f"{branch}-G1", f"{household}栋1单元", phone)

    leaders = [
        one("谢勇海", "男", 55, "NS-01", 1, next(phones)),
        one("罗涵丽", "女", 42, "NS-03", 2, next(phones)),
        one("孙梓军", "男", 38, "NS-02", 3, next(phones)),
    ]
    with_phone = one("林晓梅", "女", 46, "NS-01", 4, next(phones))
    shared = next(phones)
    grandfather = one("陈国强", "男", 67, "NS-01", 5, shared)
    grandchild = one("陈雨桐", "女", 12, "NS-01", 5, shared)
    grandchild.guardian = ("陈国强", "祖父")
    by_card = one("黄秀英", "女", 78, "NS-01", 6, None)
    for person, eagerness in ((with_phone, 7.0), (grandfather, 5.0), (grandchild, 2.0), (by_card, 5.0)):
        person.eagerness = eagerness
    for person, points in ((with_phone, 60), (grandfather, 85), (by_card, 120), *((one, 40) for one in leaders)):
        person.opening_points = points
    return [*leaders, with_phone, grandfather, grandchild, by_card]


def _household(random: Random, on: date, phones: Iterator[str], number: int) -> list[Neighbour]:
    [branch] = random.choices(list(_BRANCHES), list(_BRANCHES.values()))
    [(_, ages)] = random.choices(_HOUSEHOLDS, [share for share, _ in _HOUSEHOLDS])
    home = f"{branch}-{number:04d}"
    grid, building = f"{branch}-G{random.randint(1, 4)}", f"{random.randint(1, 12)}栋{random.randint(1, 5)}单元"
    family = random.choice(_FAMILY_NAMES)
    members: list[Neighbour] = []
    for place, (youngest, oldest) in enumerate(ages):
        age, sex = random.randint(youngest, oldest), ("男", "女")[(place + number) % 2]
        is_child = age < 18
        name = _name(random, sex, age, family if is_child or not place else random.choice(_FAMILY_NAMES), members)
        born_on = on.replace(year=on.year - age) - timedelta(days=random.randint(1, 364))
        person = Neighbour(name, sex, born_on, branch, home, grid, building, None)
        person.phone = _phone(random, age, members, phones)
        if is_child:
            person.guardian = (members[0].name, "父亲" if members[0].sex == "男" else "母亲")
        [(_, person.eagerness)] = random.choices(_EAGERNESS, [share for share, _ in _EAGERNESS])
        person.party_member = not is_child and random.random() < 0.15
        if not is_child and random.random() < 0.7:
            person.opening_points = random.choice((0, 0, random.randrange(5, 150, 5)))
        members.append(person)
    return members


def _name(random: Random, sex: str, age: int, family: str, members: Sequence[Neighbour]) -> str:
    given = _OLD_NAMES if age >= _ELDER_FROM else _YOUNG_NAMES if age <= _YOUNG_UNTIL else _NAMES
    taken = {member.name for member in members}
    return next(name for name in (family + random.choice(given[sex]) for _ in count()) if name not in taken)


def _phone(random: Random, age: int, members: Sequence[Neighbour], phones: Iterator[str]) -> str | None:
    """Return a phone of one's own, one that the household shares, or none."""
    at_home = next((member.phone for member in members if member.phone), None)
    if age < _PHONE_FROM:
        return at_home if random.random() < 0.6 else None
    if age >= _SHARES_PHONE_FROM:
        return random.choice((at_home, None, None, next(phones)))
    return at_home if at_home and random.random() < 0.2 else next(phones)
