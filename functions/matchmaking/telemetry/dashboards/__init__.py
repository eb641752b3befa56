"""The dashboards: what each shows is written down as plain values (`boards`, `pool`), and `grafana.py` makes Grafana's JSON of it.

`matchmaking observability` writes the service's three to the chart; the operator makes a fourth for each pool. Only `grafana.py` needs the Grafana SDK, which
gateways and matchers do not carry.
"""
