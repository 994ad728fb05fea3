"""Database access without Flask: engine, session, base, column types, spatial SQL."""
