"""What the outside reads: REST, the live WebSocket, metrics, the built dashboard."""
