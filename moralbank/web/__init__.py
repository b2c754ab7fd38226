"""What every page and every API answer needs from Flask; knows no package of the domain."""
