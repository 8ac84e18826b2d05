"""Property tests draw the same examples in every run; ELLTWO_EXPLORE=1 draws new ones."""

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.register_profile("explore", print_blob=True)
settings.load_profile("explore" if os.environ.get("ELLTWO_EXPLORE") else "same")
