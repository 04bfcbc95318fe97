// One container app: its rendered spec, and what only Azure knows: environment, identity, registry, image, addresses.

@description('The body in deploy/k8s/aca; nothing in it is of one environment.')
param spec object
param name string
param image string
@description('Values of the environment variables that the spec leaves to the environment.')
param settings object
@description('What Azure alone has use for, beside what the spec names.')
param more array = []
@description('{path: value}, mounted as files at `keysPath`.')
@secure()
param keys object = {}
param keysPath string = ''
@description('{variable: the URL of a secret in Key Vault}, which the app reads as itself.')
param references object = {}
param names object
param location string
param tags object

var told = spec.properties.template
var least = told.scale.minReplicas
var secrets = map(objectKeys(keys), path => {
  path: path
  secretRef: toLower(replace(replace(path, '.', '-'), '_', '-'))
})
var referred = map(objectKeys(references), variable => {
  name: variable
  secretRef: toLower(replace(variable, '_', '-'))
})
var mounts = empty(secrets)
  ? []
  : [
      {
        volumeName: 'keys'
        mountPath: keysPath
      }
    ]
var volumes = empty(secrets)
  ? []
  : [
      {
        name: 'keys'
        storageType: 'Secret'
        secrets: secrets
      }
    ]

func valued(entry object, settings object) object =>
  contains(settings, entry.name) ? union(entry, { value: settings[entry.name] }) : entry

// Those that are not secrets: `more` has the references to these.
func plain(env array, more array) array => filter(env, entry => !contains(map(more, each => each.name), entry.name))

// Bicep has no fractions, so `cpu` goes through json().
func completed(container object, image string, settings object, more array, mounts array) object =>
  union(container, {
    image: image
    env: concat(map(plain(container.env, more), entry => valued(entry, settings)), more)
    resources: {
      cpu: json(string(container.resources.cpu))
      memory: container.resources.memory
    }
    volumeMounts: concat(container.?volumeMounts ?? [], mounts)
  })

func watched(rule object, identity string, namespace string) object =>
  (rule.?custom.?type ?? '') == 'azure-servicebus'
    ? union(rule, {
        custom: {
          identity: identity
          metadata: { namespace: namespace }
        }
      })
    : rule

resource environment 'Microsoft.App/managedEnvironments@2026-01-01' existing = {
  name: names.environment
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: name
}

resource platform 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: names.platform
}

resource registry 'Microsoft.ContainerRegistry/registries@2025-11-01' existing = {
  name: names.registry
}

resource alerts 'Microsoft.Insights/actionGroups@2023-01-01' existing = {
  name: names.alerts
}

resource app 'Microsoft.App/containerApps@2026-01-01' = {
  name: name
  location: location
  kind: spec.?kind
  tags: union(tags, { 'azd-service-name': name })
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
      '${platform.id}': {}
    }
  }
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: union(spec.properties.configuration, {
      registries: [
        {
          server: registry.properties.loginServer
          identity: platform.id
        }
      ]
      // The platform's identity pulls and scales; no container can become it.
      identitySettings: [
        {
          identity: identity.id
          lifecycle: 'All'
        }
        {
          identity: platform.id
          lifecycle: 'None'
        }
      ]
      secrets: concat(
        map(secrets, secret => {
          name: secret.secretRef
          value: keys[secret.path]
        }),
        map(referred, each => {
          name: each.secretRef
          keyVaultUrl: references[each.name]
          identity: identity.id
        })
      )
    })
    template: union(
      told,
      {
        containers: map(told.containers, each => completed(each, image, settings, concat(more, referred), mounts))
        volumes: concat(told.?volumes ?? [], volumes)
      },
      contains(told, 'initContainers')
        ? { initContainers: map(told.initContainers, each => completed(each, image, settings, concat(more, referred), mounts)) }
        : {},
      // One replica is in one zone.
      {
        scale: {
          minReplicas: environment.properties.zoneRedundant ? max(2, least) : least
        }
      },
      // Functions have none: the platform makes theirs of the triggers, and lets nobody say other ones.
      contains(told.scale, 'rules')
        ? { scale: { rules: map(told.scale.rules, rule => watched(rule, platform.id, names.bus)) } }
        : {}
    )
  }
}

resource onErrors 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: 'errors-of-${name}'
  location: 'global'
  tags: tags
  properties: {
    description: '${name} answers with 5xx.'
    severity: 2
    enabled: true
    scopes: [app.id]
    evaluationFrequency: 'PT1M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.MultipleResourceMultipleMetricCriteria'
      allOf: [
        {
          criterionType: 'StaticThresholdCriterion'
          name: 'Requests'
          metricName: 'Requests'
          metricNamespace: 'Microsoft.App/containerapps'
          operator: 'GreaterThan'
          threshold: 5
          timeAggregation: 'Total'
          dimensions: [
            {
              name: 'statusCodeCategory'
              operator: 'Include'
              values: ['5xx']
            }
          ]
        }
      ]
    }
    actions: [{ actionGroupId: alerts.id }]
  }
}
