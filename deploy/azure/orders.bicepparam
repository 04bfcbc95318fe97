// What orders is deployed with, from azd's environment; azd has just pushed the image.

using 'orders.bicep'

param image = readEnvironmentVariable('SERVICE_ORDERS_IMAGE_NAME', '')
param engine = readEnvironmentVariable('ORDERS_ENGINE', 'postgres')
param apiClientId = readEnvironmentVariable('API_CLIENT_ID', '')
param corsOrigins = readEnvironmentVariable('CORS_ORIGINS', '')
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', '')
param location = readEnvironmentVariable('AZURE_LOCATION', '')
