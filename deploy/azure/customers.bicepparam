// What customers is deployed with, from azd's environment; azd has just pushed the image.

using 'customers.bicep'

param image = readEnvironmentVariable('SERVICE_CUSTOMERS_IMAGE_NAME', '')
param engine = readEnvironmentVariable('CUSTOMERS_ENGINE', 'postgres')
param apiClientId = readEnvironmentVariable('API_CLIENT_ID', '')
param corsOrigins = readEnvironmentVariable('CORS_ORIGINS', '')
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', '')
param location = readEnvironmentVariable('AZURE_LOCATION', '')
