"""Takes another system's ledger into a book, line by line. Knows accounts by outside names, and no people."""
