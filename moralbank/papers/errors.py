"""Why there is no paper."""

from __future__ import annotations

from moralbank.errors import N_, MoralBankError


class PaperUnavailable(MoralBankError):
    """The extra `pdf` is not installed, or no font with Chinese characters was found."""

    status = 501
    code = "paper-unavailable"
    title = N_("这里不能做 PDF")
    sentence = N_("系统没有装排版组件或中文字体，请改用网页上的打印，或请管理员装上 pdf 组件。")
