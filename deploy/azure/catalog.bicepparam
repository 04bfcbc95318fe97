// What catalog is deployed with, from azd's environment; azd has just pushed the image.

using 'catalog.bicep'

param image = readEnvironmentVariable('SERVICE_CATALOG_IMAGE_NAME', '')
param engine = readEnvironmentVariable('CATALOG_ENGINE', 'postgres')
param apiClientId = readEnvironmentVariable('API_CLIENT_ID', '')
param corsOrigins = readEnvironmentVariable('CORS_ORIGINS', '')
param mediaUrl = readEnvironmentVariable('MEDIA_URL', '')
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', '')
param location = readEnvironmentVariable('AZURE_LOCATION', '')
