"""Component bundles a cluster can get: one directory of manifests per component."""
