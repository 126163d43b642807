"""Documents and pages over HTTP."""
