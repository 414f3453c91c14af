"""What a build checks before and after: audits, precision, cost."""
