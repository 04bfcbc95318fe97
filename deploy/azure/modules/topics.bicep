// Topics of Service Bus: their subscriptions, what each of these takes, and who may send and receive. Often there is none.

import { rightsOn } from 'rights.bicep'

param busName string
@description('`bus_topics` of the topology.')
param topics object
@description('`identities` of the topology, with their rights on `bus-topics/<topic>` and what is below.')
param identities object
@description('{name: {id, type}} of everyone who may have a right.')
param principals object

var roles = loadJsonContent('../roles.json')
var topicNames = objectKeys(topics)

var subscriptions = flatten(map(
  items(topics),
  each => map(
    items(each.value.?subscriptions ?? {}),
    below => {
      topic: each.key
      name: below.key
      path: '${each.key}/${below.key}'
      said: below.value
    }
  )
))
var subscriptionPaths = map(subscriptions, each => each.path)

// Azure makes a rule $Default that wants every message. Where others are said it is said too, and wants none.
var nothing = { '$Default': { sql: '1=0' } }
var rules = flatten(map(
  filter(subscriptions, each => contains(each.said, 'rules')),
  each => map(
    items(contains(each.said.rules, '$Default') ? each.said.rules : union(each.said.rules, nothing)),
    below => {
      path: each.path
      name: below.key
      said: below.value
      correlates: contains(below.value, 'correlation') || contains(below.value, 'properties')
    }
  )
))

var onTopics = rightsOn(identities, 'bus-topics', topicNames)
var onSubscriptions = flatten(map(
  items(topics),
  each => map(
    rightsOn(identities, 'bus-topics/${each.key}/subscriptions', objectKeys(each.value.?subscriptions ?? {})),
    right => {
      identity: right.identity
      role: right.role
      on: '${each.key}/${right.on}'
    }
  )
))

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = {
  name: busName
}

resource topic 'Microsoft.ServiceBus/namespaces/topics@2026-01-01' = [
  for name in topicNames: {
    parent: namespace
    name: name
    properties: {
      defaultMessageTimeToLive: contains(topics[name], 'ttl_seconds') ? 'PT${topics[name].ttl_seconds}S' : null
      requiresDuplicateDetection: contains(topics[name], 'duplicate_window_seconds')
      duplicateDetectionHistoryTimeWindow: contains(topics[name], 'duplicate_window_seconds')
        ? 'PT${topics[name].duplicate_window_seconds}S'
        : null
      autoDeleteOnIdle: contains(topics[name], 'auto_delete_seconds') ? 'PT${topics[name].auto_delete_seconds}S' : null
      maxSizeInMegabytes: topics[name].?max_megabytes ?? 1024
      status: topics[name].?status ?? 'Active'
      supportOrdering: true
    }
  }
]

resource subscription 'Microsoft.ServiceBus/namespaces/topics/subscriptions@2026-01-01' = [
  for each in subscriptions: {
    parent: topic[indexOf(topicNames, each.topic)]
    name: each.name
    properties: {
      lockDuration: 'PT${each.said.?lock_seconds ?? 30}S'
      maxDeliveryCount: each.said.?max_delivery_count ?? 10
      requiresSession: each.said.?sessions ?? false
      defaultMessageTimeToLive: contains(each.said, 'ttl_seconds') ? 'PT${each.said.ttl_seconds}S' : null
      deadLetteringOnMessageExpiration: each.said.?dead_letter_expired ?? false
      deadLetteringOnFilterEvaluationExceptions: each.said.?dead_letter_filter_errors ?? true
      autoDeleteOnIdle: contains(each.said, 'auto_delete_seconds') ? 'PT${each.said.auto_delete_seconds}S' : null
      forwardTo: each.said.?forward_to
      forwardDeadLetteredMessagesTo: each.said.?forward_dead_letters_to
      status: each.said.?status ?? 'Active'
    }
    dependsOn: [topic] // it may forward to another
  }
]

resource rule 'Microsoft.ServiceBus/namespaces/topics/subscriptions/rules@2026-01-01' = [
  for each in rules: {
    parent: subscription[indexOf(subscriptionPaths, each.path)]
    name: each.name
    properties: {
      filterType: each.correlates ? 'CorrelationFilter' : 'SqlFilter'
      correlationFilter: each.correlates
        ? union(
            toObject(
              items(each.said.?correlation ?? {}),
              property => '${toLower(take(property.key, 1))}${skip(property.key, 1)}',
              property => property.value
            ),
            { properties: each.said.?properties ?? {} }
          )
        : null
      sqlFilter: each.correlates ? null : { sqlExpression: each.said.?sql ?? '1=1' }
      action: contains(each.said, 'action') ? { sqlExpression: each.said.action } : null
    }
  }
]

resource accessToTopic 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for right in onTopics: {
    name: guid(topic[indexOf(topicNames, right.on)].id, principals[right.identity].id, right.role)
    scope: topic[indexOf(topicNames, right.on)]
    properties: {
      principalId: principals[right.identity].id
      principalType: principals[right.identity].type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[right.role])
    }
  }
]

resource accessToSubscription 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for right in onSubscriptions: {
    name: guid(subscription[indexOf(subscriptionPaths, right.on)].id, principals[right.identity].id, right.role)
    scope: subscription[indexOf(subscriptionPaths, right.on)]
    properties: {
      principalId: principals[right.identity].id
      principalType: principals[right.identity].type
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles[right.role])
    }
  }
]
