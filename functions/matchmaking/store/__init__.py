"""The only place that knows Redis: key names, scripts, and one typed function for each script."""
