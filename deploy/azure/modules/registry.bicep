// The registry of our images; only the platform's identity pulls.

param name string
param location string
param tags object
@description('{name: {id, type}} of everyone who may have a right.')
param principals object

var roles = loadJsonContent('../roles.json')

resource registry 'Microsoft.ContainerRegistry/registries@2025-11-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: 'Basic' }
  properties: {
    adminUserEnabled: false
    anonymousPullEnabled: false
  }
}

resource pulling 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, principals.platform.id, 'AcrPull')
  scope: registry
  properties: {
    principalId: principals.platform.id
    principalType: principals.platform.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.AcrPull)
  }
}

output endpoint string = registry.properties.loginServer
