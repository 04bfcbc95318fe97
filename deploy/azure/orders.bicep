// Orders, deployed by its own team onto the platform of main.bicep.

import { Engine } from 'modules/names.bicep'

param image string
param engine Engine
param apiClientId string
@description('Origins whose pages may call from a browser, with spaces between; empty: none.')
param corsOrigins string = ''
param environmentName string
param location string = resourceGroup().location

module service 'modules/service.bicep' = {
  name: 'orders'
  params: {
    name: 'orders'
    spec: loadYamlContent('../k8s/aca/orders.yaml')
    image: image
    engine: engine
    apiClientId: apiClientId
    corsOrigins: corsOrigins
    environmentName: environmentName
    location: location
  }
}
