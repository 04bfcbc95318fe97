// The functions host's own storage account, where nothing of the store lies.

param name string
param location string
param tags object
@description('{name: {id, type}} of everyone who may have a right.')
param principals object

var roles = loadJsonContent('../roles.json')

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: 'Standard_LRS' }
  kind: 'StorageV2'
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource owning 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, principals.functions.id, 'Storage Blob Data Owner')
  scope: account
  properties: {
    principalId: principals.functions.id
    principalType: principals.functions.type
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles['Storage Blob Data Owner'])
  }
}
