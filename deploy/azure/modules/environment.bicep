// The Container Apps environment that all apps share.

param name string
param logsName string
param location string
param tags object
param zoneRedundant bool

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' existing = {
  name: logsName
}

resource environment 'Microsoft.App/managedEnvironments@2026-01-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    zoneRedundant: zoneRedundant
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
