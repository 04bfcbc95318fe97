// Who may read which secret. Deployed once the secrets are there: a right on a single one needs it.

import { namesOf } from 'modules/names.bicep'
import { rightsOn } from 'modules/rights.bicep'

var topology = loadYamlContent('../topology.yaml')
var names = namesOf(topology, uniqueString(resourceGroup().id))
var roles = loadJsonContent('roles.json')
// The operator's right is on the vault as a whole: modules/vault.bicep.
var rights = filter(rightsOn(topology.identities, 'secrets', topology.secrets), right => (right.identity != 'operator'))

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: names.vault
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
