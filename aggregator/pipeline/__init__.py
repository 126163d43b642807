"""The whole story: `refresh` asks sources and stores what changed, `regenerate` builds the feeds whose posts changed."""
