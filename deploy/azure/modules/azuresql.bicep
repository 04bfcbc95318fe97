// Azure SQL: one server, a database for each service that is on it; Entra is the only way in.

param name string
param location string
param tags object
param databases string[]
param operator { name: string, id: string, type: string }
@description('[{name, address}] that may connect.')
param openings array
param sku { name: string, tier: string, family: string, capacity: int }

resource server 'Microsoft.Sql/servers@2025-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    administrators: {
      administratorType: 'ActiveDirectory'
      azureADOnlyAuthentication: true
      login: operator.name
      sid: operator.id
      principalType: operator.type == 'ServicePrincipal' ? 'Application' : operator.type
      tenantId: tenant().tenantId
    }
    minimalTlsVersion: '1.2'
    publicNetworkAccess: 'Enabled'
  }
}

resource opening 'Microsoft.Sql/servers/firewallRules@2025-01-01' = [
  for each in openings: {
    parent: server
    name: each.name
    properties: {
      startIpAddress: each.address
      endIpAddress: each.address
    }
  }
]

resource database 'Microsoft.Sql/servers/databases@2025-01-01' = [
  for each in databases: {
    parent: server
    name: each
    location: location
    tags: tags
    sku: sku
    properties: {
      collation: 'SQL_Latin1_General_CP1_CI_AS'
      requestedBackupStorageRedundancy: 'Local'
    }
  }
]
