// Facts that call a function. Event Grid's own endpoint type for functions knows no container app, so it is a webhook
// with the host's system key; main.bicep has given the topics what they need for dead letters.

param topics string[]
param suffix string
@description('The topology\'s subscriptions with a function as destination.')
param subscriptions array
@description('Where the functions answer, without a scheme.')
param host string
@secure()
param key string
param storageName string
param deadLetters string

var ofTopics = filter(subscriptions, each => (each.topic != 'storage'))
var ofStorage = filter(subscriptions, each => (each.topic == 'storage'))

resource topic 'Microsoft.EventGrid/topics@2025-02-15' existing = [
  for name in topics: {
    name: '${name}${suffix}'
  }
]

resource storageTopic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: 'storage${suffix}'
}

resource storage 'Microsoft.Storage/storageAccounts@2025-06-01' existing = {
  name: storageName
}

resource subscription 'Microsoft.EventGrid/topics/eventSubscriptions@2025-02-15' = [
  for each in ofTopics: {
    parent: topic[indexOf(topics, each.topic)]
    name: each.name
    properties: {
      eventDeliverySchema: 'CloudEventSchemaV1_0'
      filter: { includedEventTypes: each.types }
      destination: {
        endpointType: 'WebHook'
        properties: {
          endpointUrl: 'https://${host}/runtime/webhooks/EventGrid?functionName=${each.to.function}&code=${key}'
          maxEventsPerBatch: 1 // one that fails would have all of its batch come again
          minimumTlsVersionAllowed: '1.2'
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
  }
]

// Of its own thumbnails nothing is told to the function: their names begin otherwise.
resource storageSubscription 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = [
  for each in ofStorage: {
    parent: storageTopic
    name: each.name
    properties: {
      eventDeliverySchema: 'CloudEventSchemaV1_0'
      filter: {
        includedEventTypes: each.types
        subjectBeginsWith: each.subject_begins_with
      }
      destination: {
        endpointType: 'WebHook'
        properties: {
          endpointUrl: 'https://${host}/runtime/webhooks/EventGrid?functionName=${each.to.function}&code=${key}'
          maxEventsPerBatch: 1 // one that fails would have all of its batch come again
          minimumTlsVersionAllowed: '1.2'
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
  }
]
