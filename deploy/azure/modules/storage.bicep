// The storage account: media, what is uploaded to become some, dead letters of Event Grid, a table for each service.

param name string
param location string
param tags object
@description('The topology\'s containers: what lies in them anyone may read.')
param containers string[]
@description('Those that nobody reads without a right.')
param privateContainers string[]
param tables string[]
@description('Origins whose pages may put a file here, by a signature they were given, and read media; with spaces between.')
param corsOrigins string
@description('[{identity, role, on}]; `on` is a container.')
param containerRights array
@description('[{identity, role, on}]; `on` is the account.')
param accountRights array
@description('[{identity, role, on}]; `on` is a table.')
param tableRights array
@description('{name: {id, type}} of everyone who may have a right.')
param principals object

var roles = loadJsonContent('../roles.json')
var containerNames = concat(containers, privateContainers)

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  sku: { name: 'Standard_ZRS' }
  kind: 'StorageV2'
  properties: {
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: true // of media only: each container says for itself
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' = {
  parent: account
  name: 'default'
  properties: {
    cors: {
      corsRules: empty(corsOrigins)
        ? []
        : [
            {
              allowedOrigins: split(corsOrigins, ' ')
              allowedMethods: ['GET', 'HEAD', 'PUT']
              allowedHeaders: ['content-type', 'if-none-match', 'range', 'x-ms-*']
              exposedHeaders: ['content-range', 'etag']
              maxAgeInSeconds: 600
            }
          ]
    }
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = [
  for containerName in containerNames: {
    parent: blobs
    name: containerName
    properties: {
      publicAccess: contains(containers, containerName) ? 'Blob' : 'None'
    }
  }
]

resource tableService 'Microsoft.Storage/storageAccounts/tableServices@2025-06-01' = {
  parent: account
  name: 'default'
}

resource table 'Microsoft.Storage/storageAccounts/tableServices/tables@2025-06-01' = [
  for tableName in tables: {
    parent: tableService
    name: tableName
  }
]

resource containerAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for right in containerRights: {
    name: guid(container[indexOf(containerNames, right.on)].id, principals[right.identity].id, right.role)
    scope: container[indexOf(containerNames, right.on)]
    properties: {
      principalId: principals[right.identity].id
      principalType: principals[right.identity].type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[right.role])
    }
  }
]

resource accountAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for right in accountRights: {
    name: guid(account.id, principals[right.identity].id, right.role)
    scope: account
    properties: {
      principalId: principals[right.identity].id
      principalType: principals[right.identity].type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[right.role])
    }
  }
]

resource tableAccess 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for right in tableRights: {
    name: guid(table[indexOf(tables, right.on)].id, principals[right.identity].id, right.role)
    scope: table[indexOf(tables, right.on)]
    properties: {
      principalId: principals[right.identity].id
      principalType: principals[right.identity].type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[right.role])
    }
  }
]
