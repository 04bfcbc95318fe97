// What the functions are deployed with, from azd's environment; azd has just pushed the image.

using 'functions.bicep'

param image = readEnvironmentVariable('SERVICE_FUNCTIONS_IMAGE_NAME', '')
param apiClientId = readEnvironmentVariable('API_CLIENT_ID', '')
param mailUrl = readEnvironmentVariable('MAIL_URL', '')
param mailPasswordUrl = readEnvironmentVariable('MAIL_PASSWORD_URL', '')
param mailFrom = readEnvironmentVariable('MAIL_FROM', '')
param paymentsUrl = readEnvironmentVariable('PAYMENTS_URL', '')
param staffMail = readEnvironmentVariable('STAFF_MAIL', '')
param staffLanguage = readEnvironmentVariable('STAFF_LANGUAGE', 'en')
param corsOrigins = readEnvironmentVariable('CORS_ORIGINS', '')
param mediaUrl = readEnvironmentVariable('MEDIA_URL', '')
param environmentName = readEnvironmentVariable('AZURE_ENV_NAME', '')
param location = readEnvironmentVariable('AZURE_LOCATION', '')
