// Reads the topology: its topics of Service Bus, and who has which role on what, with patterns like `catalog-*` spelled out.

func matches(pattern string, name string) bool =>
  endsWith(pattern, '*') ? startsWith(name, take(pattern, length(pattern) - 1)) : pattern == name

func matching(right object, kind string, names array) array =>
  filter(names, name => matches(skip(right.on, length(kind) + 1), name))

@export()
@description('One entry {identity, role, on} for each thing of a kind (topics, queues, secrets, tables, containers) that a right covers.')
func rightsOn(identities object, kind string, names array) array =>
  flatten(map(
    items(identities),
    identity => flatten(map(
      filter(identity.value.rights, right => startsWith(right.on, '${kind}/')),
      right => map(
        matching(right, kind, names),
        name => {
          identity: identity.key
          role: right.role
          on: name
        }
      )
    ))
  ))

@export()
@description('`bus_topics` of a topology, which may say none.')
func busTopicsOf(topology object) object => topology.?bus_topics ?? {}
