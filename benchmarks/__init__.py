"""Measurements that can be repeated: `python -m benchmarks.<name> --help`, in the repository."""
