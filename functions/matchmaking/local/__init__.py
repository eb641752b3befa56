"""`matchmaking dev`: the whole system on one machine, with an embedded Redis, a local autoscaler, bots and a demo page."""
