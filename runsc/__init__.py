"""The command line and the set-up of a sandbox: all that happens before and around the sentry."""

VERSION = "0.1.0"
OCI_VERSION = "1.3.0"
