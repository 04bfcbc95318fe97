"""Who enters the databases: for each service a role that is its managed identity, in its own database and no other."""

from collections.abc import Mapping

from deploy.azure.hooks.tools import Tools

TOKEN = ("az", "account", "get-access-token", "--resource-type", "oss-rdbms", "--query", "accessToken", "--output", "tsv")


def ensure_postgres(tools: Tools, server: str, databases: list[str], principals: Mapping[str, str]) -> None:
    """The administrator enters with a token of theirs."""
    if not databases:
        return
    token, user = tools.do(*TOKEN, *tools.subscription()).strip(), tools.setting("OPERATOR_NAME")
    told = {"PGPASSWORD": token, "PGUSER": user, "PGSSLMODE": "require", "PGCONNECT_TIMEOUT": "20"}
    enter = ("psql", "--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "-h", server, "-d")
    for name in databases:
        tools.say(f"PostgreSQL: {name} enters its database as its managed identity")
        tools.do(*enter, "postgres", "-c", role_in_postgres(name, principals[name]), told=told)
        tools.do(*enter, name, "-c", rights_in_postgres(name), told=told)


def role_in_postgres(name: str, principal: str) -> str:
    return (
        f"SELECT pgaadauth_create_principal_with_oid('{name}', '{principal}', 'service', false, false) "  # noqa: S608
        f"WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{name}'); "
        f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC; '
        f'GRANT CONNECT, CREATE, TEMPORARY ON DATABASE "{name}" TO "{name}";'
    )


def rights_in_postgres(name: str) -> str:
    return f'REVOKE ALL ON SCHEMA public FROM PUBLIC; GRANT USAGE, CREATE ON SCHEMA public TO "{name}";'


def ensure_azuresql(tools: Tools, server: str, databases: list[str], principals: Mapping[str, str]) -> None:
    for name in databases:
        tools.say(f"Azure SQL: {name} enters its database as its managed identity")
        enter = ("-S", server, "-d", name, "--authentication-method", "ActiveDirectoryAzCli", "-b")
        tools.do("sqlcmd", *enter, "-Q", user_in_azuresql(name, principals[name]))


def user_in_azuresql(name: str, principal: str) -> str:
    """db_owner of its own database, for it migrates it."""
    return (
        f"IF DATABASE_PRINCIPAL_ID(N'{name}') IS NULL "
        f"CREATE USER [{name}] FROM EXTERNAL PROVIDER WITH OBJECT_ID = '{principal}'; "
        f"ALTER ROLE db_owner ADD MEMBER [{name}];"
    )
