"""What one person asks and another checks: reversals, manual adjustments, and what a reversal could not take back."""
