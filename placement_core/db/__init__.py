"""The database: its tables, how they are made and kept in step, and who may open it how."""
