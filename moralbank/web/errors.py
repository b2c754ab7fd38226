"""What the API refuses before a package is asked: the shape of a request, its key, its cursor."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Invalid


class MalformedJson(Invalid):
    status = 400
    code = "malformed-json"
    title = N_("请求不是 JSON")
    sentence = N_("请求内容不是有效的 UTF-8 JSON，请检查后再发。")


class IdempotencyKeyMissing(Invalid):
    status = 400
    code = "idempotency-key-missing"
    title = N_("缺少 Idempotency-Key")
    sentence = N_("请在请求头 Idempotency-Key 里带上 8 到 128 个可见 ASCII 字符，重试时保持不变。")


class IdempotencyKeyReused(Conflict):
    code = "idempotency-key-reused"
    title = N_("Idempotency-Key 已用于别的请求")
    sentence = N_("这个 Idempotency-Key 已经用于内容不同的请求，请换一个新的。")


class NotAcceptable(Invalid):
    status = 406
    code = "not-acceptable"
    title = N_("不能按要求的格式回答")
    sentence = N_("接口只用 JSON 回答，请接受 application/json。")


class NotJson(Invalid):
    status = 415
    code = "unsupported-media-type"
    title = N_("内容类型不对")
    sentence = N_("请把内容类型（Content-Type）设为 {expected}。")


class CursorInvalid(Invalid):
    code = "cursor-invalid"
    title = N_("翻页位置无效")
    sentence = N_("翻页位置只能用上一页给出的 next，筛选条件也要保持不变。")
