"""The roll-out of a build: `nautes-rollout` in the image, `python -m nautes.rollout` elsewhere. Talks to Temporal only."""
