"""Spending points: payment codes, charges at the counter, receipts and undoing. Keeps no balances."""
