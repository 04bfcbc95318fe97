// Who is told when something stays undone: dead letters, queues that grow, facts that Event Grid gave up.

param name string
param location string
param tags object
@description('Empty: alerts are raised and nobody is written to.')
param email string
param busName string
@description('Of Service Bus, and topics.')
param queues string[]
param topics string[]
param topicSuffix string
@description('Messages that may wait in one queue. Service Bus has no metric of their age; the number is what there is.')
param backlog int

var watched = [
  {
    name: 'dead-letters-in-queues'
    description: 'A queue holds dead letters: someone must look at them, mend what is wrong and replay them.'
    metric: 'DeadletteredMessages'
    threshold: 0
    severity: 1
  }
  {
    name: 'queue-backlog'
    description: 'A queue grows faster than its service works: the service is down, stuck or too small.'
    metric: 'ActiveMessages'
    threshold: backlog
    severity: 2
  }
]

var ofServices = map(topics, topic => {
  name: topic
  kind: 'Microsoft.EventGrid/topics'
  id: resourceId('Microsoft.EventGrid/topics', '${topic}${topicSuffix}')
})
var watchedTopics = concat(ofServices, [
  {
    name: 'storage'
    kind: 'Microsoft.EventGrid/systemTopics'
    id: resourceId('Microsoft.EventGrid/systemTopics', 'storage${topicSuffix}')
  }
])

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: name
  location: 'global'
  tags: tags
  properties: {
    groupShortName: take(name, 12)
    enabled: true
    emailReceivers: empty(email)
      ? []
      : [
          {
            name: 'operator'
            emailAddress: email
            useCommonAlertSchema: true
          }
        ]
  }
}

resource bus 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = {
  name: busName
}

resource onQueues 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for each in watched: {
    name: each.name
    location: 'global'
    tags: tags
    properties: {
      description: each.description
      severity: each.severity
      enabled: true
      scopes: [bus.id]
      evaluationFrequency: 'PT1M'
      windowSize: 'PT5M'
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: each.metric
            metricName: each.metric
            metricNamespace: 'Microsoft.ServiceBus/namespaces'
            operator: 'GreaterThan'
            threshold: each.threshold
            timeAggregation: 'Average'
            dimensions: [
              {
                name: 'EntityName'
                operator: 'Include'
                values: queues
              }
            ]
          }
        ]
      }
      targetResourceType: 'Microsoft.ServiceBus/namespaces'
      targetResourceRegion: location
      actions: [{ actionGroupId: group.id }]
    }
  }
]

resource onTopics 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for each in watchedTopics: {
    name: 'dead-letters-of-${each.name}'
    location: 'global'
    tags: tags
    properties: {
      description: 'Event Grid has given up delivering facts of ${each.name}; they lie in the dead-letter container.'
      severity: 1
      enabled: true
      scopes: [each.id]
      evaluationFrequency: 'PT1M'
      windowSize: 'PT5M'
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: 'DeadLetteredCount'
            metricName: 'DeadLetteredCount'
            metricNamespace: each.kind
            operator: 'GreaterThan'
            threshold: 0
            timeAggregation: 'Total'
          }
        ]
      }
      actions: [{ actionGroupId: group.id }]
    }
  }
]
