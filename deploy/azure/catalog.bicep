// The catalogue, deployed by its own team onto the platform of main.bicep.

import { Engine, namesOf } from 'modules/names.bicep'

param image string
param engine Engine
param apiClientId string
@description('Origins whose pages may call from a browser, with spaces between; empty: none.')
param corsOrigins string = ''
@description('Where people read media: https://<nginx as the gateway>/media; empty: where the blobs lie.')
param mediaUrl string = ''
param environmentName string
param location string = resourceGroup().location

var topology = loadYamlContent('../topology.yaml')
var names = namesOf(topology, uniqueString(resourceGroup().id))
var blobs = 'https://${names.storage}.blob.${environment().suffixes.storage}'

module service 'modules/service.bicep' = {
  name: 'catalog'
  params: {
    name: 'catalog'
    spec: loadYamlContent('../k8s/aca/catalog.yaml')
    image: image
    engine: engine
    apiClientId: apiClientId
    settings: {
      BLOB_ENDPOINT: blobs
      MEDIA_URL: empty(mediaUrl) ? '${blobs}/${topology.containers[0]}' : mediaUrl
    }
    corsOrigins: corsOrigins
    environmentName: environmentName
    location: location
  }
}
