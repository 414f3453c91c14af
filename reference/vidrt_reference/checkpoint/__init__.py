"""What a checkpoint holds, read with every doubt settled: headers, folders, configurations, weights."""
