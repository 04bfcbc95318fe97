// Who may read which secret: rights on single ones, which must be there.

param vaultName string
@description('[{identity, role, on}]; `on` is a secret.')
param rights array

var roles = loadJsonContent('../roles.json')

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [
  for right in rights: {
    name: right.identity
  }
]

resource secret 'Microsoft.KeyVault/vaults/secrets@2025-05-01' existing = [
  for right in rights: {
    parent: vault
    name: right.on
  }
]

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (right, i) in rights: {
    name: guid(secret[i].id, identity[i].id, right.role)
    scope: secret[i]
    properties: {
      principalId: identity[i].properties.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[right.role])
    }
  }
]
