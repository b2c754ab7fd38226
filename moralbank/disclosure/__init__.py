"""Public notices (公示): generated from the ledger, masked, published by a second person, and gone after their time.

Never typed and never ranked: who agreed stands there by masked name and band, the others are in the totals, and groups
under five are in no figure of their own.
"""
