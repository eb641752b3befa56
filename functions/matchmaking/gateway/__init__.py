"""The WebSocket and HTTP function: stateless, any number of them, each with its clients' sockets. The only place that knows Quart and Hypercorn."""
