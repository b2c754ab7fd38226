"""The whole database in one file, made while the bank works, and back from it into an empty place."""
