// The Container Apps environment that all apps share.

param name string
param logsName string
param location string
param tags object
@description('Can\'t be changed later. Azure spreads replicas over zones in a network of one\'s own only.')
param zoneRedundant bool

var subnet = 'apps'

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: logsName
}

resource network 'Microsoft.Network/virtualNetworks@2025-07-01' = if (zoneRedundant) {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: ['10.0.0.0/16'] }
    subnets: [
      {
        name: subnet
        properties: {
          addressPrefix: '10.0.0.0/24' // nothing else may be in it; ten replicas share an address
          delegations: [
            {
              name: subnet
              properties: { serviceName: 'Microsoft.App/environments' }
            }
          ]
        }
      }
    ]
  }
}

resource environment 'Microsoft.App/managedEnvironments@2026-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    zoneRedundant: zoneRedundant
    vnetConfiguration: zoneRedundant ? { infrastructureSubnetId: '${network.id}/subnets/${subnet}' } : null
    appLogsConfiguration: {
      destination: 'log-analytics'
      logAnalyticsConfiguration: {
        customerId: workspace.properties.customerId
        sharedKey: workspace.listKeys().primarySharedKey
      }
    }
    // In this profile init containers have identities, too; in an environment without profiles, or in a dedicated one,
    // they have none, and could not migrate.
    workloadProfiles: [
      {
        name: 'Consumption'
        workloadProfileType: 'Consumption'
      }
    ]
    peerTrafficConfiguration: { encryption: { enabled: true } }
  }
}
