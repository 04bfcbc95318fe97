// Cosmos DB for Table, serverless: a table for each service that is on it; Entra is the only way in.

param name string
param location string
param tags object
param tables string[]
@description('{name: {id, type}} of everyone who may have a right.')
param principals object

// Built into every account: read and write entities.
var contributor = '00000000-0000-0000-0000-000000000002'

resource account 'Microsoft.DocumentDB/databaseAccounts@2026-03-15' = {
  name: name
  location: location
  tags: tags
  kind: 'GlobalDocumentDB'
  properties: {
    databaseAccountOfferType: 'Standard'
    capabilities: [
      { name: 'EnableTable' }
      { name: 'EnableServerless' }
    ]
    locations: [
      {
        locationName: location
        failoverPriority: 0
      }
    ]
    // A service's replicas must see one another's writes.
    consistencyPolicy: { defaultConsistencyLevel: 'Strong' }
    disableLocalAuth: true
    minimalTlsVersion: 'Tls12'
  }
}

resource table 'Microsoft.DocumentDB/databaseAccounts/tables@2026-03-15' = [
  for each in tables: {
    parent: account
    name: each
    properties: {
      resource: { id: each }
    }
  }
]

resource access 'Microsoft.DocumentDB/databaseAccounts/tableRoleAssignments@2026-03-15' = [
  for (each, i) in tables: {
    parent: account
    name: guid(table[i].id, principals[each].id)
    properties: {
      principalId: principals[each].id
      roleDefinitionId: '${account.id}/tableRoleDefinitions/${contributor}'
      scope: '${account.id}/dbs/TablesDB/colls/${each}'
    }
  }
]
