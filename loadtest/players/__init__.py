"""Players who are played: an open-model load generator on the Python client, in several processes.

    python -m loadtest.players duel-rush --rate 50..500 --seconds 60 --seed 1 --out report.html

Open model: when players arrive is drawn beforehand, from the seed, and nobody waits for the system under test to be done with somebody else. Waits count from the
moment at which a player was due, so a generator that falls behind makes its figures worse instead of hiding it; how far it fell behind is in the report.

`scenarios.py` says what players do, `crowd.py` what one player is, `worker.py` is a process of them, `target.py` the system (one that runs, or one of our own),
`watch.py` what it costs, `ledger.py` what became of every ticket, `report.py` what is shown of it.
"""
