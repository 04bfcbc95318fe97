// What all three services are told, and their app.

import { Engine, namesOf, storeUrl } from 'names.bicep'

param name string
param spec object
param image string
param engine Engine
@description('Client id of the API in Entra: the audience of the tokens that people bring.')
param apiClientId string
@description('What this service is told beside what all are told.')
param settings object = {}
@description('Origins whose pages may call from a browser, with spaces between; empty: none.')
param corsOrigins string
param environmentName string
param location string

var topology = loadYamlContent('../../topology.yaml')
var names = namesOf(topology, uniqueString(resourceGroup().id))

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: name
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = {
  name: '${name}${names.topicSuffix}'
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: names.insights
}

module app 'app.bicep' = {
  name: '${name}-app'
  params: {
    spec: spec
    name: name
    image: image
    settings: union(
      {
        STORE_URL: storeUrl(engine, name, names)
        KEY_VAULT: 'https://${names.vault}${environment().suffixes.keyvaultDns}'
        TOPIC_ENDPOINT: topic.properties.endpoint
        SERVICE_BUS: '${names.bus}.servicebus.windows.net'
        ISSUER: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
        AUDIENCE: apiClientId
        AZURE_CLIENT_ID: identity.properties.clientId
      },
      settings
    )
    more: [
      {
        name: 'APPLICATIONINSIGHTS_CONNECTION_STRING'
        value: insights.properties.ConnectionString
      }
      {
        name: 'CORS_ORIGINS'
        value: corsOrigins
      }
    ]
    names: names
    location: location
    tags: { 'azd-env-name': environmentName }
  }
}
