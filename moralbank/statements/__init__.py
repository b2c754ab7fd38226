"""What the holder of an account reads: the passbook and monthly statements. Writes nothing."""
