"""What changed between two runs of a refresh: compared, told, drawn. Nothing here knows how runs come about."""
