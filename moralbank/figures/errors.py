"""What public figures refuse."""

from __future__ import annotations

from moralbank.errors import N_, NotFound


class NoFigures(NotFound):
    code = "no-figures"
    title = N_("这里还没有数据")
    sentence = N_("这里还没有公开的数据：一个月日结完以后才会出，请下个月再来看。")
