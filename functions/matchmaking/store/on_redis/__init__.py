"""The store on Redis, by concern: each class has one typed method for each script; `redis_store.RedisStore` is all of them together."""
