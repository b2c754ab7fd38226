"""What periodic work refuses."""

from __future__ import annotations

from moralbank.errors import N_, NotFound


class UnknownJob(NotFound):
    code = "unknown-job"
    title = N_("没有这项作业")
    sentence = N_("没有叫 {job} 的作业，请用 moralbank jobs list 查看名称。")
