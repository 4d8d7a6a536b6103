"""What the platform says about itself while it runs: metrics, logs, traces, health. Used from clients up."""
