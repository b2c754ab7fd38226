"""What the bank tells people: written with what it is about, shown in an inbox, and sent on where they want it.

A message is a row in the transaction of what it tells of, so nothing is told before it is true, and each event is
told each person once. What leaves the house leaves it later, by a job. Knows no ledger, no residents and no merchants:
who lies above says whom it is about, and where they can be reached.
"""
