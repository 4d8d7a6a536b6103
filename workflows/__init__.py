"""Order, waiting and retries: one module per long-lived thing."""
