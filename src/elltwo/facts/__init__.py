"""What every room speaks about: frozen records that know NumPy and the standard library alone."""
