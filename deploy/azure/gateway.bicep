// nginx as the gateway, for whoever wants more than routes.bicep offers: /media under the same name, limits, its own rules.

import { namesOf } from 'modules/names.bicep'

param image string
@description('Origins whose pages may read what is refused, with spaces between; empty: none.')
param corsOrigins string = ''
param environmentName string
param location string = resourceGroup().location

var topology = loadYamlContent('../topology.yaml')
var names = namesOf(topology, uniqueString(resourceGroup().id))

resource apps 'Microsoft.App/managedEnvironments@2026-01-01' existing = {
  name: names.environment
}

module app 'modules/app.bicep' = {
  name: 'gateway-app'
  params: {
    spec: loadYamlContent('../k8s/aca/gateway.yaml')
    name: 'gateway'
    image: image
    settings: {
      CATALOG_URL: 'https://catalog.internal.${apps.properties.defaultDomain}'
      ORDERS_URL: 'https://orders.internal.${apps.properties.defaultDomain}'
      CUSTOMERS_URL: 'https://customers.internal.${apps.properties.defaultDomain}'
      FUNCTIONS_URL: 'https://functions.${apps.properties.defaultDomain}'
      STORAGE_URL: 'https://${names.storage}.blob.${environment().suffixes.storage}'
    }
    more: [
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
