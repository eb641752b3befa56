"""The store's twin in memory, by concern; `memory.MemoryStore` is all of it together."""
