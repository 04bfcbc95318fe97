// Who may read which secret of the topology. Deployed once the secrets are there.

import { namesOf } from 'modules/names.bicep'
import { rightsOn } from 'modules/rights.bicep'

var topology = loadYamlContent('../topology.yaml')
var names = namesOf(topology, uniqueString(resourceGroup().id))
var all = rightsOn(topology.identities, 'secrets', topology.secrets)

module readers 'modules/readers.bicep' = {
  name: 'readers'
  params: {
    vaultName: names.vault
    // The operator's right is on the vault as a whole: modules/vault.bicep.
    rights: filter(all, right => (right.identity != 'operator'))
  }
}
