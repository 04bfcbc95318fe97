// The platform: all that the deployables stand on, made from deploy/topology.yaml. The apps come with their own files.

import { deployablesOf, Engines, namesOf } from 'modules/names.bicep'
import { busTopicsOf, rightsOn } from 'modules/rights.bicep'

targetScope = 'resourceGroup'

@description('azd\'s name for this environment; a tag on everything.')
param environmentName string
param location string = resourceGroup().location
@description('Where each service keeps its data.')
param engines Engines
@description('Object id of the people (a group) or the pipeline who set the store up and look after it.')
param operatorId string
@description('Their name: of the databases\' administrator.')
param operatorName string
param operatorType ('User' | 'Group' | 'ServicePrincipal')
@description('The one address outside Azure that may connect to the databases: that of the hooks. Empty: none.')
param operatorAddress string = ''
@description('A vault so protected can\'t be purged for 7 days after it is deleted, and can\'t be made anew under its name.')
param purgeProtection bool
@description('Two replicas of each app at least, in two zones, and a standby for PostgreSQL: about twice its price.')
param zoneRedundant bool
param alertEmail string = ''
@description('Origins whose pages may put a file into storage from a browser, with spaces between; empty: none.')
param corsOrigins string = ''
param logRetentionDays int = 30
param postgresSku { name: string, tier: string } = { name: 'Standard_D2ds_v5', tier: 'GeneralPurpose' }
param azuresqlSku { name: string, tier: string, family: string, capacity: int } = {
  name: 'GP_Gen5'
  tier: 'GeneralPurpose'
  family: 'Gen5'
  capacity: 2
}

var topology = loadYamlContent('../topology.yaml')
var names = namesOf(topology, uniqueString(resourceGroup().id))
var tags = { 'azd-env-name': environmentName }
var operator = {
  name: operatorName
  id: operatorId
  type: operatorType
}
// Who may connect to databases: Azure's services, and so our apps, and the operator. To enter takes a token all the same.
var openings = concat(
  [
    {
      name: 'azure'
      address: '0.0.0.0'
    }
  ],
  empty(operatorAddress)
    ? []
    : [
        {
          name: 'operator'
          address: operatorAddress
        }
      ]
)
var queues = objectKeys(topology.queues)
var busTopics = busTopicsOf(topology)
var senders = filter(objectKeys(topology.identities), name => (name != 'operator'))
var containers = concat(topology.containers, topology.private_containers)
var placed = items(engines)
var onPostgres = map(filter(placed, each => (each.value == 'postgres')), each => each.key)
var onAzuresql = map(filter(placed, each => (each.value == 'azuresql')), each => each.key)
var onCosmos = map(filter(placed, each => (each.value == 'cosmos')), each => each.key)

module identities 'modules/identities.bicep' = {
  name: 'identities'
  params: {
    names: concat(deployablesOf(topology), [names.platform])
    location: location
    tags: tags
  }
}

var principals = union(
  toObject(identities.outputs.principals, each => each.name, each => {
    id: each.id
    type: 'ServicePrincipal'
  }),
  {
    operator: {
      id: operatorId
      type: operatorType
    }
  }
)

module logs 'modules/logs.bicep' = {
  name: 'logs'
  params: {
    name: names.logs
    insightsName: names.insights
    location: location
    tags: tags
    retentionDays: logRetentionDays
    principals: principals
    senders: senders
  }
}

module registry 'modules/registry.bicep' = {
  name: 'registry'
  params: {
    name: names.registry
    location: location
    tags: tags
    principals: principals
  }
}

module environment 'modules/environment.bicep' = {
  name: 'environment'
  params: {
    name: names.environment
    logsName: names.logs
    location: location
    tags: tags
    zoneRedundant: zoneRedundant
  }
  dependsOn: [logs]
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  params: {
    name: names.vault
    location: location
    tags: tags
    purgeProtection: purgeProtection
    rights: rightsOn(topology.identities, 'secrets', ['*'])
    principals: principals
  }
}

module bus 'modules/bus.bicep' = {
  name: 'bus'
  params: {
    name: names.bus
    location: location
    tags: tags
    queues: topology.queues
    rights: rightsOn(topology.identities, 'queues', queues)
    principals: principals
  }
}

module topics 'modules/topics.bicep' = {
  name: 'topics'
  params: {
    busName: names.bus
    topics: busTopics
    identities: topology.identities
    principals: principals
  }
  dependsOn: [bus]
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  params: {
    name: names.storage
    location: location
    tags: tags
    containers: topology.containers
    privateContainers: topology.private_containers
    tables: topology.tables
    corsOrigins: corsOrigins
    containerRights: rightsOn(topology.identities, 'containers', containers)
    accountRights: rightsOn(topology.identities, 'accounts', [topology.storage_account])
    tableRights: rightsOn(topology.identities, 'tables', topology.tables)
    principals: principals
  }
}

module host 'modules/host.bicep' = {
  name: 'host'
  params: {
    name: names.host
    location: location
    tags: tags
    principals: principals
  }
}

// To functions, which must run first, subscriptions.bicep subscribes. A queue waits for its service, so it hears from
// the first fact on.
module events 'modules/events.bicep' = {
  name: 'events'
  params: {
    topics: topology.topics
    suffix: names.topicSuffix
    location: location
    tags: tags
    subscriptions: filter(topology.subscriptions, each => contains(each.to, 'queue'))
    busName: names.bus
    storageName: names.storage
    deadLetters: names.deadLetters
    rights: rightsOn(topology.identities, 'topics', topology.topics)
    principals: principals
  }
  dependsOn: [
    bus
    storage
  ]
}

module postgres 'modules/postgres.bicep' = if (!empty(onPostgres)) {
  name: 'postgres'
  params: {
    name: names.postgres
    location: location
    tags: tags
    databases: onPostgres
    operator: operator
    openings: openings
    sku: postgresSku
    highAvailability: zoneRedundant ? 'ZoneRedundant' : 'Disabled'
  }
}

module azuresql 'modules/azuresql.bicep' = if (!empty(onAzuresql)) {
  name: 'azuresql'
  params: {
    name: names.azuresql
    location: location
    tags: tags
    databases: onAzuresql
    operator: operator
    openings: openings
    sku: azuresqlSku
  }
}

module cosmos 'modules/cosmos.bicep' = if (!empty(onCosmos)) {
  name: 'cosmos'
  params: {
    name: names.cosmos
    location: location
    tags: tags
    tables: onCosmos
    principals: principals
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  params: {
    name: names.alerts
    location: location
    tags: tags
    email: alertEmail
    busName: names.bus
    queues: concat(queues, objectKeys(busTopics))
    topics: topology.topics
    topicSuffix: names.topicSuffix
    backlog: 1000
  }
  dependsOn: [
    bus
    events
  ]
}

// azd keeps these in its environment, where the hooks read them.
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registry.outputs.endpoint
output STORE_VAULT string = names.vault
output STORE_SECRETS array = topology.secrets
// What the operator's tools are told (docs/dead-letters.md).
output SERVICE_BUS string = '${names.bus}.servicebus.windows.net'
output KEY_VAULT string = 'https://${names.vault}${az.environment().suffixes.keyvaultDns}'
output BLOB_ENDPOINT string = 'https://${names.storage}.blob.${az.environment().suffixes.storage}'
output STORE_PRINCIPALS array = identities.outputs.principals
output STORE_APP_ROLES object = toObject(
  filter(items(topology.identities), each => contains(each.value, 'app_roles')),
  each => each.key,
  each => each.value.app_roles
)
output STORE_POSTGRES object = {
  server: '${names.postgres}.postgres.database.azure.com'
  databases: onPostgres
}
output STORE_AZURESQL object = {
  server: '${names.azuresql}${az.environment().suffixes.sqlServerHostname}'
  databases: onAzuresql
}
