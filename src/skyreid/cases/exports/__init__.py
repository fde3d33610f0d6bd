"""What leaves a case: folders, tables, reports and papers."""
