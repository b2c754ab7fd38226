"""Acting on somebody's behalf: family on one phone, and helpers with a login of their own. Knows no points."""
