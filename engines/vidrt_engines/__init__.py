"""The contract between exporter and runtime: recipes, versions and the bundle. Standard library only."""
