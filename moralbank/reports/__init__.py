"""The books as staff and auditors read them: entries, accounts, sums, verification, exports. Writes nothing."""
