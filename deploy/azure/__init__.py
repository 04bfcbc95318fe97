"""Azure: the platform and the apps as Bicep, what that comes to, and azd's hooks."""
