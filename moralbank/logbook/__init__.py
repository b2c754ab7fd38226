"""What the world reads of the books' logs, and the witnesses that sign them. Shows no person and no account."""
