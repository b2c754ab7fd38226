"""moralbank: a volunteer-points bank with an append-only ledger."""

__version__ = "0.1.0"
