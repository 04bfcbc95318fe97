// What everything is called: the platform and each deployable find one another by these names alone.

@description('Where a service keeps its data: docs/engines.md says which is for whom.')
@export()
type Engine = 'postgres' | 'azuresql' | 'tables' | 'cosmos'

@export()
type Engines = {
  catalog: Engine
  orders: Engine
  customers: Engine
}

@export()
@description('`token` makes them unique in all of Azure: uniqueString(resourceGroup().id).')
func namesOf(topology object, token string) object => {
  platform: 'platform' // the identity that pulls images and watches queues
  environment: '${topology.namespace}-${token}'
  registry: '${topology.namespace}${token}'
  vault: '${topology.namespace}-${token}'
  bus: '${topology.namespace}-${token}'
  storage: '${topology.storage_account}${token}'
  host: '${topology.storage_account}host${token}'
  logs: '${topology.namespace}-${token}'
  insights: '${topology.namespace}-${token}'
  alerts: topology.namespace
  postgres: '${topology.namespace}-${token}'
  azuresql: '${topology.namespace}-${token}'
  cosmos: '${topology.namespace}-${token}'
  deadLetters: topology.dead_letters
  topicSuffix: '-${token}'
}

@export()
@description('What has an identity of its own and runs: all of the topology but the operator, and the gateway.')
func deployablesOf(topology object) array =>
  concat(filter(objectKeys(topology.identities), name => (name != 'operator')), ['gateway'])

@export()
@description('The STORE_URL of a service on its engine. Nobody enters with a password.')
func storeUrl(engine Engine, service string, names object) string =>
  engine == 'postgres'
    ? 'postgresql://${service}@${names.postgres}.postgres.database.azure.com:5432/${service}?authentication=entra'
    : engine == 'azuresql'
        ? 'mssql://${service}@${names.azuresql}${environment().suffixes.sqlServerHostname}:1433/${service}?authentication=entra'
        : engine == 'tables'
            ? 'https://${names.storage}.table.${environment().suffixes.storage}/${service}'
            : 'https://${names.cosmos}.table.cosmos.azure.com/${service}'
