// One managed identity for each deployable, and one for the platform itself.

param names string[]
param location string
param tags object

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = [
  for name in names: {
    name: name
    location: location
    tags: tags
  }
]

output principals array = [
  for (name, i) in names: {
    name: name
    id: identity[i].properties.principalId
  }
]
