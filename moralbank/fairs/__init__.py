"""Fairs and charity days: one day, many stalls, each with its own roster, its own hands for the day, and its own slip.

A stall is a session of its own activity, where people serve and are credited, or a partner merchant's table, where
points are spent. What happens there happens in activities and redemptions; this package only holds them together.
"""
