"""What the holder of an account reads: the passbook, and statements, which are issued, frozen and printed here.

It writes of statements alone: the books are only read.
"""
