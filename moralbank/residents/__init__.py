"""Depositors: who they are, their households, cards and helpers; reads rosters. Knows no Flask."""
