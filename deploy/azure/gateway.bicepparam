// What the gateway is deployed with, from azd's environment.

using 'gateway.bicep'

param image = readEnvironmentVariable('SERVICE_GATEWAY_IMAGE_NAME', '')
param corsOrigins = readEnvironmentVariable('CORS_ORIGINS', '')
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', '')
param location = readEnvironmentVariable('AZURE_LOCATION', '')
