"""What people declare: one model per kind, strict YAML in and out, where each file lives."""
