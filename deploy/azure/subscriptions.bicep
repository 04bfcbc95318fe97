// Event Grid's subscriptions to functions. Deployed once the functions run: they answer the handshake.

import { namesOf } from 'modules/names.bicep'

var topology = loadYamlContent('../topology.yaml')
var names = namesOf(topology, uniqueString(resourceGroup().id))
var keys = loadJsonContent('keys.json')

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: names.vault
}

resource functions 'Microsoft.App/containerApps@2026-01-01' existing = {
  name: 'functions'
}

module calls 'modules/calls.bicep' = {
  name: 'calls'
  params: {
    topics: topology.topics
    suffix: names.topicSuffix
    subscriptions: filter(topology.subscriptions, each => contains(each.to, 'function'))
    host: functions.properties.configuration.ingress.fqdn
    key: vault.getSecret(keys.eventGrid)
    storageName: names.storage
    deadLetters: names.deadLetters
  }
}
