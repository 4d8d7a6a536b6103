"""What is allowed: one small function per rule; they return findings and never raise."""
