// What the platform is told of a cluster, from the environment.

using 'aks.bicep'

param issuer = readEnvironmentVariable('AKS_ISSUER')
param host = readEnvironmentVariable('AKS_HOST', '')
