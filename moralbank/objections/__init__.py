"""Objections (异议): somebody says that something in the book or in a public notice is wrong, and is answered in time.

What they are about is named by the caller: a line of an account, a notice, a late entry. What waits for a decision,
such as a late entry, asks here whether somebody objects; so this lies below whatever may be objected to.
"""
