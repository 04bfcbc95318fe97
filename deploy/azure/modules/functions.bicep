// The functions' app, with the host's keys as files: on Container Apps the host only reads them, it makes none.

import { namesOf } from 'names.bicep'

param spec object
param image string
param apiClientId string
param mailUrl string
@description('Of a secret in Key Vault; empty: no password is needed.')
param mailPasswordUrl string = ''
param mailFrom string
@description('The payment provider, or the adapter to it that speaks as docs/payments.md says.')
param paymentsUrl string
@description('Who hears that little is left of a product; empty: the sender of the letters.')
param staffMail string
param staffLanguage ('en' | 'de')
@description('Origins whose pages may call from a browser, with spaces between; empty: none.')
param corsOrigins string
@description('Where people read media; empty: where the blobs lie.')
param mediaUrl string
@secure()
param masterKey string
@secure()
param defaultKey string
@secure()
param eventGridKey string
param environmentName string
param location string

var topology = loadYamlContent('../../topology.yaml')
var names = namesOf(topology, uniqueString(resourceGroup().id))
var blobs = 'https://${names.storage}.blob.${environment().suffixes.storage}'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: 'functions'
}

resource apps 'Microsoft.App/managedEnvironments@2026-01-01' existing = {
  name: names.environment
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: names.insights
}

module app 'app.bicep' = {
  name: 'functions-app'
  params: {
    spec: spec
    name: 'functions'
    image: image
    settings: {
      AzureWebJobsStorage__accountName: names.host
      AzureWebJobsStorage__clientId: identity.properties.clientId
      ServiceBus__fullyQualifiedNamespace: '${names.bus}.servicebus.windows.net'
      ServiceBus__clientId: identity.properties.clientId
      CUSTOMERS_URL: 'https://customers.internal.${apps.properties.defaultDomain}'
      ORDERS_URL: 'https://orders.internal.${apps.properties.defaultDomain}'
      CATALOG_URL: 'https://catalog.internal.${apps.properties.defaultDomain}'
      API_SCOPE: 'api://${apiClientId}/.default'
      MAIL_URL: mailUrl
      MAIL_FROM: mailFrom
      BLOB_ENDPOINT: blobs
      MEDIA_URL: empty(mediaUrl) ? '${blobs}/${topology.containers[0]}' : mediaUrl
      PAYMENTS_URL: paymentsUrl
      AZURE_CLIENT_ID: identity.properties.clientId
    }
    more: [
      {
        name: 'APPLICATIONINSIGHTS_CONNECTION_STRING'
        value: insights.properties.ConnectionString
      }
      {
        name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
        value: 'ClientId=${identity.properties.clientId};Authorization=AAD'
      }
      {
        name: 'STAFF_MAIL'
        value: staffMail
      }
      {
        name: 'STAFF_LANGUAGE'
        value: staffLanguage
      }
      {
        name: 'CORS_ORIGINS'
        value: corsOrigins
      }
    ]
    keys: {
      'host.master': masterKey
      'host.function.default': defaultKey
      'host.systemKey.eventgrid_extension': eventGridKey
    }
    keysPath: '/run/secrets/functions-keys'
    references: union(
      {
        PAYMENTS_KEY: 'https://${names.vault}${environment().suffixes.keyvaultDns}/secrets/functions-payments-key'
      },
      empty(mailPasswordUrl) ? {} : { MAIL_PASSWORD: mailPasswordUrl }
    )
    names: names
    location: location
    tags: { 'azd-env-name': environmentName }
  }
}
