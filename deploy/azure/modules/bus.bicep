// Service Bus: a queue for each service, and who may send, receive and look.

param name string
param location string
param tags object
@description('{name: {lock_seconds, max_delivery_count}} of the topology.')
param queues object
@description('[{identity, role, on}]; `on` is a queue.')
param rights array
@description('{name: {id, type}} of everyone who may have a right.')
param principals object

var roles = loadJsonContent('../roles.json')
var queueNames = objectKeys(queues)
// KEDA asks for a queue's length through the management API, for which no lesser role is enough.
var watching = map(queueNames, queueName => {
  identity: 'platform'
  role: 'Azure Service Bus Data Owner'
  on: queueName
})
var all = concat(rights, watching)

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: 'Standard'
    tier: 'Standard'
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
  }
}

resource queue 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' = [
  for queueName in queueNames: {
    parent: namespace
    name: queueName
    properties: {
      lockDuration: 'PT${queues[queueName].lock_seconds}S'
      maxDeliveryCount: queues[queueName].max_delivery_count
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: 'PT10M'
      deadLetteringOnMessageExpiration: true
      defaultMessageTimeToLive: 'P14D'
      maxSizeInMegabytes: 5120
    }
  }
]

resource access 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for right in all: {
    name: guid(queue[indexOf(queueNames, right.on)].id, principals[right.identity].id, right.role)
    scope: queue[indexOf(queueNames, right.on)]
    properties: {
      principalId: principals[right.identity].id
      principalType: principals[right.identity].type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[right.role])
    }
  }
]
