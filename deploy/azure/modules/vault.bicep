// Key Vault. Rights on single secrets come with secrets.bicep, once the secrets are there.

param name string
param location string
param tags object
param purgeProtection bool
@description('[{identity, role, on}] of rights on the vault as a whole.')
param rights array
@description('{name: {id, type}} of everyone who may have a right.')
param principals object

var roles = loadJsonContent('../roles.json')

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7 // can't be changed later
    enablePurgeProtection: purgeProtection ? true : null // can't be taken back, so `false` is refused
    enabledForTemplateDeployment: true // functions.bicep and subscriptions.bicep read the host's keys
  }
}

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for right in rights: {
    name: guid(vault.id, principals[right.identity].id, right.role)
    scope: vault
    properties: {
      principalId: principals[right.identity].id
      principalType: principals[right.identity].type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[right.role])
    }
  }
]
