"""The subcommands of `matchmaking`, one module each: `configure(parser)` and `run(arguments) -> exit code`."""
