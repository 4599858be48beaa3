"""From the socket to a durable instance."""
