"""The operator: keeps queues, scaling, dashboards and alerts as `MatchmakingPool` resources declare them.

`plan` and `manifests` decide purely; `cluster` and the store act; `reconciler` joins them; `handlers` and `rounds` call it.
"""
