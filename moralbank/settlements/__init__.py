"""What the fund owes each merchant, line by line, with disputes; and what stands behind the points."""
