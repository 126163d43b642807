"""WebSub as the daemon does it: our own hub, telling another's, and subscribing at those of sources."""
