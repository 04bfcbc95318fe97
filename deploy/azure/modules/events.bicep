// Event Grid: a topic for each service and one of the storage account's; what of them goes to which queue, undeliverable
// facts to a container.

param topics string[]
@description('After the topic\'s name, to make it unique in the region.')
param suffix string
param location string
param tags object
@description('The topology\'s subscriptions with a queue as destination.')
param subscriptions array
param busName string
param storageName string
param deadLetters string
@description('[{identity, role, on}]; `on` is a topic.')
param rights array
@description('{name: {id, type}} of everyone who may have a right.')
param principals object

var roles = loadJsonContent('../roles.json')
var queues = union(map(subscriptions, each => each.to.queue), [])
var deliveries = union(
  map(subscriptions, each => {
    topic: each.topic
    queue: each.to.queue
  }),
  []
)

resource bus 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = {
  name: busName
}

resource queue 'Microsoft.ServiceBus/namespaces/queues@2026-01-01' existing = [
  for name in queues: {
    parent: bus
    name: name
  }
]

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-06-01' existing = {
  parent: storage
  name: 'default'
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' existing = {
  parent: blobs
  name: deadLetters
}

resource topic 'Microsoft.EventGrid/topics@2025-02-15' = [
  for name in topics: {
    name: '${name}${suffix}'
    location: location
    tags: tags
    identity: { type: 'SystemAssigned' }
    properties: {
      inputSchema: 'CloudEventSchemaV1_0'
      disableLocalAuth: true
      minimumTlsVersionAllowed: '1.2'
    }
  }
]

resource telling 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for right in rights: {
    name: guid(topic[indexOf(topics, right.on)].id, principals[right.identity].id, right.role)
    scope: topic[indexOf(topics, right.on)]
    properties: {
      principalId: principals[right.identity].id
      principalType: principals[right.identity].type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[right.role])
    }
  }
]

resource delivering 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for delivery in deliveries: {
    name: guid(queue[indexOf(queues, delivery.queue)].id, topic[indexOf(topics, delivery.topic)].id)
    scope: queue[indexOf(queues, delivery.queue)]
    properties: {
      principalId: topic[indexOf(topics, delivery.topic)].identity.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roles['Azure Service Bus Data Sender']
      )
    }
  }
]

// What Azure tells of the storage account by itself, e.g. that a blob is there.
resource storageTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: 'storage${suffix}'
  location: location
  tags: tags
  identity: { type: 'SystemAssigned' }
  properties: {
    source: storage.id
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

resource buryingOfStorage 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(container.id, storageTopic.id)
  scope: container
  properties: {
    principalId: storageTopic.identity.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId(
      'Microsoft.Authorization/roleDefinitions',
      roles['Storage Blob Data Contributor']
    )
  }
}

resource burying 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, i) in topics: {
    name: guid(container.id, topic[i].id)
    scope: container
    properties: {
      principalId: topic[i].identity.principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roles['Storage Blob Data Contributor']
      )
    }
  }
]

resource subscription 'Microsoft.EventGrid/topics/eventSubscriptions@2025-02-15' = [
  for each in subscriptions: {
    parent: topic[indexOf(topics, each.topic)]
    name: each.name
    properties: {
      eventDeliverySchema: 'CloudEventSchemaV1_0'
      filter: { includedEventTypes: each.types }
      deliveryWithResourceIdentity: {
        identity: { type: 'SystemAssigned' }
        destination: {
          endpointType: 'ServiceBusQueue'
          properties: {
            resourceId: queue[indexOf(queues, each.to.queue)].id
            deliveryAttributeMappings: [
              {
                // The fact's own id, so that the queue knows a repeat.
                name: 'MessageId'
                type: 'Dynamic'
                properties: { sourceField: 'id' }
              }
            ]
          }
        }
      }
      retryPolicy: {
        maxDeliveryAttempts: 30
        eventTimeToLiveInMinutes: 1440
      }
      deadLetterWithResourceIdentity: {
        identity: { type: 'SystemAssigned' }
        deadLetterDestination: {
          endpointType: 'StorageBlob'
          properties: {
            resourceId: storage.id
            blobContainerName: deadLetters
          }
        }
      }
    }
    dependsOn: [
      delivering
      burying
    ]
  }
]
