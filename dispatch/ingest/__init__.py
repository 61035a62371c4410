"""From the broker to the inbox: listen, hold, acknowledge after the commit."""
