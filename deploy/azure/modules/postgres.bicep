// Azure Database for PostgreSQL: one server, a database for each service that is on it; Entra is the only way in.

param name string
param location string
param tags object
param databases string[]
param operator { name: string, id: string, type: string }
@description('[{name, address}] that may connect.')
param openings array
param sku { name: string, tier: string }
param highAvailability ('Disabled' | 'ZoneRedundant')

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' = {
  name: name
  location: location
  tags: tags
  sku: sku
  properties: {
    version: '18'
    authConfig: {
      activeDirectoryAuth: 'Enabled'
      passwordAuth: 'Disabled'
      tenantId: tenant().tenantId
    }
    storage: {
      storageSizeGB: 32
      autoGrow: 'Enabled'
    }
    backup: { backupRetentionDays: 7 }
    highAvailability: { mode: highAvailability }
    network: { publicNetworkAccess: 'Enabled' }
  }
}

resource administrator 'Microsoft.DBforPostgreSQL/flexibleServers/administrators@2025-08-01' = {
  parent: server
  name: operator.id
  properties: {
    principalName: operator.name
    principalType: operator.type
    tenantId: tenant().tenantId
  }
}

@batchSize(1) // the server takes one change at a time
resource opening 'Microsoft.DBforPostgreSQL/flexibleServers/firewallRules@2025-08-01' = [
  for each in openings: {
    parent: server
    name: each.name
    properties: {
      startIpAddress: each.address
      endIpAddress: each.address
    }
    dependsOn: [administrator]
  }
]

// Else its log has the row that an index refuses, and with it personal data.
resource terse 'Microsoft.DBforPostgreSQL/flexibleServers/configurations@2025-08-01' = {
  parent: server
  name: 'log_error_verbosity'
  properties: {
    value: 'terse'
    source: 'user-override'
  }
  dependsOn: [opening]
}

@batchSize(1)
resource database 'Microsoft.DBforPostgreSQL/flexibleServers/databases@2025-08-01' = [
  for each in databases: {
    parent: server
    name: each
    properties: {
      charset: 'UTF8'
      collation: 'en_US.utf8'
    }
    dependsOn: [terse]
  }
]
