"""The pure heart: pools, tickets, rounds. No I/O, no clock, no randomness of its own."""
