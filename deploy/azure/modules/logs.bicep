// Where logs, traces and metrics go: a workspace, and Application Insights on it.

param name string
param insightsName string
param location string
param tags object
param retentionDays int
@description('{name: {id, type}} of everyone who may have a right.')
param principals object
@description('Those who send telemetry.')
param senders string[]

var roles = loadJsonContent('../roles.json')

resource workspace 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: retentionDays
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: insightsName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspace.id
    DisableLocalAuth: true
  }
}

resource publishing 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for name in senders: {
    name: guid(insights.id, principals[name].id, 'Monitoring Metrics Publisher')
    scope: insights
    properties: {
      principalId: principals[name].id
      principalType: principals[name].type
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roles['Monitoring Metrics Publisher']
      )
    }
  }
]
