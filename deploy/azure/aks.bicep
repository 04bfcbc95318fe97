// What AKS needs beside the platform: its pods and KEDA are let in as our identities, and read the secrets that they mount.

import { deployablesOf, namesOf } from 'modules/names.bicep'

@description('Who vouches for the pods: the cluster\'s oidcIssuerProfile.issuerUrl.')
param issuer string
@description('Where the functions answer, without a scheme, for Event Grid to call. Empty: they do not run yet.')
param host string

var topology = loadYamlContent('../topology.yaml')
var names = namesOf(topology, uniqueString(resourceGroup().id))
var certificate = 'store-certificate' // the gateway's; whoever looks after the cluster puts it into the vault
var keys = loadJsonContent('keys.json')
var pods = map(deployablesOf(topology), name => {
  identity: name
  subject: 'system:serviceaccount:store:${name}'
})
// KEDA runs where its add-on puts it, and looks at the queues as the platform does on Container Apps.
var accounts = concat(pods, [
  {
    identity: names.platform
    subject: 'system:serviceaccount:kube-system:keda-operator'
  }
])
// On Container Apps a deployment hands these keys over, and the functions need no right to them.
var keyReaders = map(items(keys), key => {
  identity: 'functions'
  role: 'Key Vault Secrets User'
  on: key.value
})

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = [
  for account in accounts: {
    name: account.identity
  }
]

resource trust 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials@2024-11-30' = [
  for (account, i) in accounts: {
    parent: identity[i]
    name: 'aks'
    properties: {
      issuer: issuer
      subject: account.subject
      audiences: ['api://AzureADTokenExchange']
    }
  }
]

module readers 'modules/readers.bicep' = {
  name: 'readers-on-aks'
  params: {
    vaultName: names.vault
    rights: concat(keyReaders, [
      {
        identity: 'gateway'
        role: 'Key Vault Secrets User'
        on: certificate
      }
    ])
  }
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: names.vault
}

module calls 'modules/calls.bicep' = if (!empty(host)) {
  name: 'calls'
  params: {
    topics: topology.topics
    suffix: names.topicSuffix
    subscriptions: filter(topology.subscriptions, each => contains(each.to, 'function'))
    host: host
    key: vault.getSecret(keys.eventGrid)
    storageName: names.storage
    deadLetters: names.deadLetters
  }
}
