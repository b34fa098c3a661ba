"""What is kept in the database: rows, versions, evaluations, promotions; opened, migrated, checked and pruned."""
