"""From instances to a Volume."""
