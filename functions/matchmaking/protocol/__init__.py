"""What clients and gateways say to each other: typed messages, close codes, and the connection as a pure state machine."""
