"""What each service needs to start, be seen and stop."""
