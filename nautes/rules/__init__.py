"""What is allowed: one small function per rule; they return findings and never raise.

Importing the package registers every rule: the engine never runs with some of them missing. docs/rules.md lists them all.
"""

from nautes.rules import pipelines, products, removal, rights, runtimes

__all__ = ["pipelines", "products", "removal", "rights", "runtimes"]
