"""`python -m nautes.rollout`."""

from nautes.rollout.command import main

main()
