"""Certificates, and extracts that are none, as data of their paper templates.

In Chinese: they are for authorities. For somebody who reads English each label has its English beside it; what was
signed stands as it was signed.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import segno

from moralbank.certificates import values
from moralbank.certificates.queries import Certificate
from moralbank.certificates.service import Draft
from moralbank.web.filters import figure

#: The largest code whose modules are read from a print of 30 mm.
_CODE_MM = 34


def code_svg(address: str) -> str:
    """Return the address as a QR code of level Q: a quarter of it may be damaged."""
    code = segno.make(address, error="q", boost_error=False, micro=False)
    svg: str = code.svg_inline(border=4, omitsize=True)
    return svg


def certificate(one: Certificate, public_url: str, copy: int, *, is_english: bool = False) -> dict[str, Any]:
    """Return the data of the template `certificate`. Raises: CertificateForgotten."""
    made = _chinese(one, public_url, copy)
    if is_english:
        made |= {
            "subtitle": "Certificate of volunteer service",
            "sentence_en": _english_sentence(one.said),
            "facts": [[_both(label), words] for label, words in made["facts"]],
            "issued": [[_both(label), words] for label, words in made["issued"]],
            "columns": [column | {"title": _both(column["title"], "\n")} for column in made["columns"]],
            "code_words": f"{made['code_words']}\nScan to check, or type the short code at {public_url}/v",
        }
    return made


def _both(label: str, between: str = " ") -> str:
    return f"{label}{between}{_ENGLISH[label]}"


def _chinese(one: Certificate, public_url: str, copy: int) -> dict[str, Any]:
    said = one.said
    address = f"{public_url}/v/{one.token}"
    return {
        "title": "志愿服务记录证明",
        "lang": "zh",
        "pages": "第 {n} 页，共 {m} 页",
        "number": f"编号 {said['number']}",
        "sentence": _sentence(said),
        "facts": [
            ["姓名", said["name"]],
            ["性别", said["sex"]],
            ["出生日期", said["born_on"]],
            ["志愿者编号", said["volunteer_number"]],
            ["所属网点", said["area"]],
            ["服务期间", f"{said['first']} 至 {said['last']}"],
            ["本期服务时间", hours(said["minutes"])],
            ["累计服务时间", f"{hours(said['total_minutes'])}，{star_words(said['stars'])}"],
        ],
        "columns": _COLUMNS,
        "rows": [service_row(service) for service in said["services"]],
        "closing": ["合计", f"{len(said['services'])} 次，{hours(said['minutes'])}"],
        "issued": [
            ["出具单位", said["issuer"]],
            ["经办人", said["handler"]],
            ["联系方式", said["contact"]],
            ["出具日期", said["issued_on"]],
            ["登记", f"第 {copy} 份"],
        ],
        "seal": "志愿服务",
        "code": code_svg(address),
        "code_mm": _CODE_MM,
        "code_words": f"扫码核对真伪，或打开 {public_url}/v 输入短码\n{one.code}",
        "foot": f"{said['number']} · 免费出具，如实、完整、及时；不作商业用途",
    }


def extract(draft: Draft, public_url: str) -> dict[str, Any]:
    """Return a document of the template `sheet`: the same record, and that it is no certificate."""
    person = draft.person
    known = (
        ("姓名", person.name),
        ("性别", person.sex),
        ("出生日期", person.born_on),
        ("志愿者编号", person.volunteer_number),
        ("所属网点", person.area),
        ("服务期间", f"{draft.first} 至 {draft.last}"),
    )
    return {
        "title": "服务记录摘录",
        "aside": person.volunteer_number,
        "facts": [[name, value or "（没有登记）"] for name, value in known],
        "notice": "这是记录的摘录，不是“志愿服务记录证明”。",
        "sections": [
            {
                "columns": _COLUMNS,
                "rows": [service_row(service) for service in (_plain(one) for one in draft.services)],
                "empty": "这段时间没有服务时间。",
                "closing": ["合计", f"{len(draft.services)} 次，{hours(draft.minutes)}"],
            }
        ],
        "foot": f"{draft.issuing.issuer} · {draft.issuing.contact} · {public_url}",
    }


def hours(minutes: int) -> str:
    """Return service time as certificates say it: 2 小时 30 分."""
    whole, rest = divmod(minutes, 60)
    if not whole:
        return f"{rest} 分钟"
    return f"{figure(whole)} 小时" + (f" {rest} 分" if rest else "")


def star_words(stars: int) -> str:
    """Return the star level, 一星级 to 五星级."""
    return f"{'一二三四五'[stars - 1]}星级志愿者" if stars else "未到一星级（100 小时）"


def service_row(service: dict[str, Any]) -> list[str]:
    what = service["activity"] or "（没有记录）"
    details = " · ".join(filter(None, (service["content"], service["place"])))
    who = "\n".join(filter(None, (service["organiser"], service["leader"])))
    return [f"{service['line']}", service["on"], f"{what}\n{details}", who, hours(service["minutes"])]


def _plain(service: values.Service) -> dict[str, Any]:
    return {name: getattr(service, name) for name in service.__dataclass_fields__}


def _sentence(said: dict[str, Any]) -> str:
    first, last = date.fromisoformat(said["first"]), date.fromisoformat(said["last"])
    return (
        f"兹证明 {said['name']} 在 {first.year} 年 {first.month} 月 {first.day} 日至 {last.year} 年 {last.month} 月 "
        f"{last.day} 日期间，参加志愿服务 {len(said['services'])} 次，服务时间共 {hours(said['minutes'])}。"
    )


def _english_sentence(said: dict[str, Any]) -> str:
    whole, rest = divmod(said["minutes"], 60)
    return (
        f"This certifies that {said['name']} gave {len(said['services'])} services as a volunteer between "
        f"{said['first']} and {said['last']}, {whole} h {rest:02} min in all."
    )


_ENGLISH = {
    "姓名": "Name",
    "性别": "Sex",
    "出生日期": "Born",
    "志愿者编号": "Volunteer no.",
    "所属网点": "Branch",
    "服务期间": "Period",
    "本期服务时间": "Service in it",
    "累计服务时间": "Service in all",
    "出具单位": "Issuer",
    "经办人": "Handled by",
    "联系方式": "Contact",
    "出具日期": "Issued",
    "登记": "Copy",
    "行号": "Line",
    "日期": "Date",
    "活动、内容、地点": "Activity, content, place",
    "组织单位、负责人": "Organiser, leader",
    "时间": "Time",
}

_COLUMNS: list[dict[str, Any]] = [
    {"title": "行号", "align": "right"},
    {"title": "日期"},
    {"title": "活动、内容、地点", "width": 3},
    {"title": "组织单位、负责人", "width": 2},
    {"title": "时间", "align": "right"},
]
