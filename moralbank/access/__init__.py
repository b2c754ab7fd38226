"""Who may come in and what they may do: logins, secrets, sessions, roles, API tokens.

Knows no Flask and no residents.
"""
