"""A test-only peer for Microsoft's ODBC driver: TDS on the wire, PostgreSQL behind it.

The driver, its wire protocol, our use of both and the T-SQL as a dialect are real here; the engine is not. Isolation,
locking, collation, plans and what SQL Server refuses are PostgreSQL's or nobody's, and are not proved by it.
"""
