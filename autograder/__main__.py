"""`python -m autograder` is `attn`."""

import sys

from autograder.cli import main

sys.exit(main())
