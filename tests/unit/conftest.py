"""What holds for all unit tests."""

import gc

# The models of AWS stay in memory, and Python would look through them all again and again: a tenth of the whole
# suite's time.
gc.set_threshold(100_000)
