"""Knows the columns of a roster by the names people give them."""

from __future__ import annotations

from moralbank.residents.roster_cells import clean
from moralbank.residents.roster_files import Cells

_SYNONYMS: dict[str, str] = {
    name: column
    for column, names in {
        "sequence": "序号 编号 no no. 号",
        "name": "姓名 储户姓名 居民姓名 名字 name",
        "sex": "性别 sex gender",
        "born_on": "出生日期 出生年月日 生日 出生年月 dateofbirth birthday born",
        "phone": "手机号 手机 手机号码 联系电话 电话 电话号码 联系方式 移动电话 phone mobile",
        "branch": "所属驿站 驿站 站点 所属站点 所属网点 网点 登记驿站 branch station",
        "grid": "网格 所属网格 网格号 grid",
        "building": "楼栋 楼栋单元 住址 地址 building address",
        "household": "户号 家庭编号 户编号 household",
        "party_member": "是否党员 党员 政治面貌 partymember",
        "joined_on": "登记日期 登记时间 入户日期 加入日期 注册日期 开户日期 joined",
        "opening_points": "期初积分 积分 原有积分 初始积分 积分余额 openingpoints points",
        "note": "备注 说明 note notes remark",
    }.items()
    for name in names.split()
}


def columns_of(row: Cells) -> dict[str, int]:
    """Return where each known column stands in a row; of two with the same meaning the first counts."""
    found: dict[str, int] = {}
    for place, cell in enumerate(row):
        column = _SYNONYMS.get(written(cell).rstrip("*"))
        if column is not None:
            found.setdefault(column, place)
    return found


def label_of(column: str) -> str:
    return next(name for name, meant in _SYNONYMS.items() if meant == column)


def written(text: str) -> str:
    """Return text for comparing: half width, lower case, without any space."""
    return clean(text).replace(" ", "").casefold()
