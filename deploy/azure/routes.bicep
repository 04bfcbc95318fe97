// What people reach from outside. Deployed last: its targets must be there, and the facts of a first order be heard.

import { namesOf } from 'modules/names.bicep'

var topology = loadYamlContent('../topology.yaml')
var names = namesOf(topology, uniqueString(resourceGroup().id))

resource environment 'Microsoft.App/managedEnvironments@2026-01-01' existing = {
  name: names.environment
}

resource routes 'Microsoft.App/managedEnvironments/httpRouteConfigs@2026-01-01' = {
  parent: environment
  name: topology.namespace
  properties: loadYamlContent('../k8s/aca/routes.yaml')
}

output address string = 'https://${routes.properties.fqdn}'
