"""The commands: one file each, with USAGE, FLAGS (its options) and run(context, options, arguments)."""
