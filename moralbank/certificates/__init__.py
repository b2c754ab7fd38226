"""Certificates of volunteer service (志愿服务记录证明): the record they are made of, the register, the check."""
