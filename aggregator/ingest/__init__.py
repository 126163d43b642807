"""From a source to drafts: what a web feed or a file of front matter holds."""
