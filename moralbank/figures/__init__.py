"""Public figures: what a branch, a street and a district came to, month by month, frozen once a month is closed.

They are computed once by a job and only read afterwards. Groups under five have no figure, nor can one be reckoned from
the others.
"""
