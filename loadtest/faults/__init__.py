"""The fault programme: what is broken, what is written down meanwhile, and the check of it. `prove_faults.py` runs it."""
