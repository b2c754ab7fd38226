"""Activities from announcement to award: sessions, sign-ups, check-in and check-out, the leader's
sign-off.
"""
