"""What becomes of the rows of a roster: the people taken, and why the others are not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from moralbank.errors import N_, fill
from moralbank.residents.roster_files import Cells

_SENTENCES: dict[str, str] = {
    "blank-row": N_("空行，已跳过。"),
    "total-row": N_("合计行，已跳过。"),
    "repeated-header": N_("重复的表头，已跳过。"),
    "empty": N_("“{column}”没有填，请补上。"),
    "formula": N_("“{column}”以 =、+、- 或 @ 开头，像表格公式，请改成文字。"),
    "name-too-long": N_("“{column}”超过 50 个字，请核对。"),
    "too-long": N_("“{column}”超过 50 个字，请写短一些。"),
    "not-a-name": N_("“{column}”里有不像姓名的符号或数字，请核对。"),
    "not-a-phone": N_("“{column}”不是 11 位手机号，请核对；没有手机的请留空。"),
    "unknown-branch": N_("没有这个驿站，请在“{column}”填系统里已有的驿站名称。"),
    "not-a-date": N_("“{column}”不是有效日期，请写成 2026-01-31 的样子。"),
    "in-the-future": N_("“{column}”晚于今天，请核对。"),
    "too-long-ago": N_("“{column}”早于 1900 年，请核对。"),
    "before-birth": N_("“{column}”早于出生日期，请核对。"),
    "not-whole": N_("“{column}”要填整数，不要小数和文字。"),
    "negative": N_("“{column}”不能是负数，请改成 0 或更大的整数。"),
    "too-many-points": N_("“{column}”大得不合常理，请看看是不是填错了列。"),
    "not-yes-no": N_("“{column}”请填“是”或“否”。"),
    "not-a-sex": N_("“{column}”请填“男”或“女”。"),
    "duplicate": N_("与第 {first_row} 行是同一个人（姓名和手机号都相同），请删去一行。"),
}


class Take(StrEnum):
    TAKE = "take"
    REFUSE = "refuse"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One person as the roster means them. None means the cell was empty."""

    name: str
    phone: str | None
    #: As the sheet names it; `branch_id` is what it stands for.
    branch: str
    branch_id: int
    household: str | None
    grid: str | None
    building: str | None
    sex: str | None
    party_member: bool
    born_on: date | None
    joined_on: date | None
    opening_points: int
    note: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a row is not taken: a stable code, the column as the sheet calls it, and what to mend."""

    code: str
    #: None when it is about the row as a whole.
    column: str | None = None
    #: Only of a duplicate: the row of the sheet that was taken.
    first_row: int | None = None

    @property
    def template(self) -> str:
        """The sentence before its fields are filled in: the key of the catalogues."""
        return _SENTENCES[self.code]

    @property
    def sentence(self) -> str:
        return fill(self.template, {"column": self.column, "first_row": self.first_row})


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """What becomes of one row: `values` is there only if it is taken, `reasons` only if it isn't."""

    row_number: int
    take: Take
    cells: Cells
    values: RosterRow | None = None
    #: Everything there is to mend, the first in the order of reading first.
    reasons: tuple[Reason, ...] = ()

    @property
    def reason_code(self) -> str | None:
        return self.reasons[0].code if self.reasons else None

    @property
    def sentence(self) -> str | None:
        return self.reasons[0].sentence if self.reasons else None
