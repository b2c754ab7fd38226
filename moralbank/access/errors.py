"""What can go wrong with coming in and with what one may do."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated


class WrongSecret(Unauthenticated):
    """One answer for an unknown name, a wrong secret and a suspended login: none of them can be probed."""

    code = "wrong-secret"
    title = N_("没能登录")
    sentence = N_("号码、姓名或密码不对，请核对后再试。忘了密码请找驿站工作人员重设。")


class Locked(TooMany):
    code = "locked"
    title = N_("试错次数太多")
    sentence = N_("为了账户安全，请 {minutes} 分钟后再试，或找驿站工作人员重设密码。")


class TooManyRequests(TooMany):
    """Counted by address, whoever is behind it."""

    code = "too-many-requests"
    title = N_("这里用得太勤了")
    sentence = N_("这里刚刚用了很多次，请过 {seconds} 秒再试。")


class OutOfScope(Forbidden):
    code = "out-of-scope"
    title = N_("不在您负责的范围")
    sentence = N_("这里不在您负责的网点之内，请找上级管理员。")


class TokenScopeMissing(Forbidden):
    code = "token-scope-missing"
    title = N_("令牌没有这项权限")
    sentence = N_("这个令牌没有 {scope} 权限，请签发一个带此权限的令牌。")


class SecretMustChange(Forbidden):
    code = "secret-must-change"
    title = N_("请先改密码")
    sentence = N_("第一次登录要先把密码改成自己的。")


class WeakSecret(Invalid):
    code = "weak-secret"
    title = N_("密码太简单")
    sentence = N_("请换一个别人猜不到的密码。")


class NameTaken(Conflict):
    code = "login-name-taken"
    title = N_("登录名已被使用")
    sentence = N_("登录名 {name} 已经有人用了，请换一个。")


class BadLoginName(Invalid):
    code = "bad-login-name"
    title = N_("登录名不合要求")
    sentence = N_("登录名要 2 到 32 个字，至少一个字母或汉字，不含空格。")


class UnknownLogin(NotFound):
    code = "unknown-login"
    title = N_("没有这个登录")
    sentence = N_("没有找到这个登录，请从列表中选择。")


class UnknownSession(NotFound):
    code = "unknown-session"
    title = N_("没有这次登录")
    sentence = N_("这次登录已经结束，或不是您的。")


class UnknownToken(NotFound):
    code = "unknown-token"
    title = N_("没有这个令牌")
    sentence = N_("这个令牌已经停用，或不是您的。")


class RolesClash(Conflict):
    code = "roles-clash"
    title = N_("这两个角色不能由同一人担任")
    sentence = N_("监督员只看账不办事，不能在同一网点再担任工作人员、管理员或收银员。")


class AlreadyGranted(Conflict):
    code = "already-granted"
    title = N_("已经有这个角色")
    sentence = N_("这个登录在该网点已经有这个角色。")


class BadGrant(Invalid):
    code = "bad-grant"
    title = N_("角色不能这样授予")
    sentence = N_("收银员要指明商家，其他角色不指明商家；请重新选择。")


class NotOneself(Conflict):
    code = "not-oneself"
    title = N_("不能对自己这样做")
    sentence = N_("不能停用自己的登录或收回自己的角色，请由另一位管理员办理。")


class OnlyAtTheTable(Forbidden):
    """A hand of a fair's day asks for what is the shop's own to do."""

    code = "only-at-the-table"
    title = N_("这个账号只管收积分")
    sentence = N_("集市的临时账号只能在摊位收积分，两分钟内撤销自己刚收的。其他的请用店里自己的账号。")


class OnlyOneself(Forbidden):
    """Somebody acts for another and asks for what only that person does themselves."""

    code = "only-oneself"
    title = N_("这一页只能本人用")
    sentence = N_("您正在替家人办事。这一页只能本人用，请先换回自己。")


class BadTokenScopes(Invalid):
    code = "bad-token-scopes"
    title = N_("令牌权限不对")
    sentence = N_("令牌的权限不能超出您自己的角色，请重新勾选。")


class BadExpiry(Invalid):
    code = "bad-token-expiry"
    title = N_("有效期不对")
    sentence = N_("有效期要在明天到一年之内。")


class ReasonMissing(Forbidden):
    code = "reason-missing"
    title = N_("请先选事由")
    sentence = N_("查看别人的资料要先选一个事由，请从储户名单打开。")


class ReasonUnfit(Invalid):
    code = "reason-unfit"
    title = N_("请选事由")
    sentence = N_("请选一个事由；选“其他”时要写明。")
