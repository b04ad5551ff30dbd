"""Opens inputs wherever they are, and reads them over HTTP from servers that fail now and then. It never changes what is read."""
