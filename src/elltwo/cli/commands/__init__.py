"""One file per command; each holds a click command called ``command``."""
