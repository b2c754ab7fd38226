"""Partner merchants and what they offer. Knows no resident and no charge."""
