"""WebSub (https://www.w3.org/TR/websub/) as pure functions: what is signed, asked and answered, and when.

A room of its own, because publishers, hubs and subscribers share it: `publish` knows documents and `ingest` sources, and
what is said between servers belongs to neither. It opens no connection and asks no store.
"""
