"""Every metric and log field, in one place."""
