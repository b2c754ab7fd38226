"""A believable district to try the bank with: people who don't exist, and their year, lived through the bank's verbs.

Nothing else in the bank depends on it.
"""

from moralbank.demo.district import card, load

__all__ = ["card", "load"]
