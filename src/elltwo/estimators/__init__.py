"""scikit-learn faces: thin, all of them ending in one Fit. Import them from ``elltwo``."""
