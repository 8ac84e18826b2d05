"""``python -m elltwo.cli``."""

import sys

from elltwo.cli.main import main

sys.exit(main())
