// The platform's parameters, from azd's environment: `azd env set NAME value`.

using 'main.bicep'

param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', '')
param location = readEnvironmentVariable('AZURE_LOCATION', '')
param engines = {
  catalog: readEnvironmentVariable('CATALOG_ENGINE', 'postgres')
  orders: readEnvironmentVariable('ORDERS_ENGINE', 'postgres')
  customers: readEnvironmentVariable('CUSTOMERS_ENGINE', 'postgres')
}
param operatorId = readEnvironmentVariable('AZURE_PRINCIPAL_ID', '')
param operatorName = readEnvironmentVariable('OPERATOR_NAME', '')
param operatorType = readEnvironmentVariable('AZURE_PRINCIPAL_TYPE', 'User')
param operatorAddress = readEnvironmentVariable('OPERATOR_ADDRESS', '')
param purgeProtection = bool(readEnvironmentVariable('PURGE_PROTECTION', 'true'))
param zoneRedundant = bool(readEnvironmentVariable('ZONE_REDUNDANT', 'false'))
param alertEmail = readEnvironmentVariable('ALERT_EMAIL', '')
param corsOrigins = readEnvironmentVariable('CORS_ORIGINS', '')
