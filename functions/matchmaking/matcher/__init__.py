"""The matcher job: short-lived, started from the queue's length, right at 0, 1 or many at once.

It loads neither Quart nor kopf nor pydantic nor, for small queues, numpy: what it imports is its cold start.
"""
