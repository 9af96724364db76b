"""Ways to move packets: UDP, TCP and, for tests, memory. They know nothing of requests."""
