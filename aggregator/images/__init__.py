"""Image URLs: what stands behind a proxy, and where in a post an image can stand."""
