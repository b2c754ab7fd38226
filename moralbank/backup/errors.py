"""Why a backup can't be made, or not be restored."""

from __future__ import annotations

from moralbank.errors import N_, Conflict, Forbidden, Invalid, NotFound, Refused


class NothingToBackUp(NotFound):
    code = "nothing-to-back-up"
    title = N_("没有可备份的数据库")
    sentence = N_("{place} 没有本行的数据库。请检查 DATABASE_URL 或 MORALBANK_VAR。")


class BackupExists(Conflict):
    code = "backup-exists"
    title = N_("备份文件已存在")
    sentence = N_("{file} 已经存在，没有覆盖。请换一个文件名，或只写文件夹。")


class BackupNotWritten(Refused):
    code = "backup-not-written"
    title = N_("备份没有写成")
    sentence = N_("{file} 没有写成（{reason}），没有留下半个备份。请排除原因再试。")


class RestoreFailed(Refused):
    code = "restore-failed"
    title = N_("没有恢复成")
    sentence = N_("{file} 没有恢复成（{reason}），恢复的地方还是空的。请排除原因再试。")


class KeyUnfit(Invalid):
    code = "backup-key-unfit"
    title = N_("密钥文件不能用")
    sentence = N_("{file} 要有至少 32 个随机字符，并且只有本账号能读（chmod 600）。请另做一个密钥文件。")


class KeyMissing(Invalid):
    code = "backup-key-missing"
    title = N_("备份是加密的")
    sentence = N_("{file} 是加密的备份，请用 --key-file 指明密钥文件。")


class KeyWrong(Refused):
    code = "backup-key-wrong"
    title = N_("密钥不对")
    sentence = N_("{file} 不是用这个密钥加密的，什么都没有恢复。请找出做这份备份时的密钥文件。")


class NotEncrypted(Refused):
    code = "backup-not-encrypted"
    title = N_("备份没有加密")
    sentence = N_("给了密钥，但 {file} 没有加密，可能被换过，什么都没有恢复。确认来源以后，不带 --key-file 再恢复。")


class NotABackup(Invalid):
    code = "not-a-backup"
    title = N_("不是备份文件")
    sentence = N_("{file} 不是 moralbank backup 做的备份。请检查文件名。")


class BackupDamaged(Refused):
    code = "backup-damaged"
    title = N_("备份文件有损坏")
    sentence = N_("{file} 不完整或被改动过（第 {place} 块），什么都没有恢复。请用另一份备份。")


class BackupTooNew(Refused):
    code = "backup-too-new"
    title = N_("备份比程序新")
    sentence = N_("{file} 的数据库结构是 {revision}，本程序还不认识。请先升级程序再恢复。")


class OtherEngine(Refused):
    code = "backup-of-other-engine"
    title = N_("数据库种类不同")
    sentence = N_("{file} 是 {engine} 的备份，只能恢复到 {engine}。请改 DATABASE_URL。")


class PlaceNotEmpty(Conflict):
    code = "place-not-empty"
    title = N_("恢复的地方不是空的")
    sentence = N_("{place} 已有内容，什么都没有动。请恢复到不存在的文件或新建的空数据库。")


class RestoredUnsound(Refused):
    code = "restored-unsound"
    title = N_("恢复后的核验没有通过")
    sentence = N_("恢复出来的内容有错（{fault}），没有采用。请用另一份备份，并保留这一份供查。")


class NoThrowAwayPlace(Forbidden):
    code = "no-throw-away-place"
    title = N_("不能新建演练用的数据库")
    sentence = N_("演练要新建一个用完就删的数据库，这个账号不能。请用所有者的账号，并先给它 CREATEDB 权限。")


class PeopleKeysUnfit(Invalid):
    code = "people-keys-unfit"
    title = N_("个人密钥文件不能用")
    sentence = N_("{file} 不在、不是个人密钥文件，或别人也能读（chmod 600）。请用 --people-keys 指明。")


class PeopleKeysMissing(Invalid):
    code = "people-keys-missing"
    title = N_("缺少个人密钥文件")
    sentence = N_("{file} 里的个人资料是按人加密的，请用 --people-keys 指明个人密钥文件。")


class PeopleKeysWrong(Refused):
    code = "people-keys-wrong"
    title = N_("个人密钥文件不对")
    sentence = N_("{file} 不是用这个个人密钥文件做的，什么都没有恢复。请找出做这份备份时的文件。")


class PeopleKeysOlder(Refused):
    code = "people-keys-older"
    title = N_("个人密钥文件太旧")
    sentence = N_("{file} 里还没有第 {person} 号储户的密钥，它比备份旧，什么都没有恢复。请用最新的一份。")
