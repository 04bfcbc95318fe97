// The functions, deployed by their own team onto the platform of main.bicep.

import { namesOf } from 'modules/names.bicep'

param image string
param apiClientId string
@description('How letters go out: smtp://…, smtps://… or https://….communication.azure.com.')
param mailUrl string
@description('Of the secret in Key Vault with the password of the user in it; empty: there is none.')
param mailPasswordUrl string = ''
param mailFrom string
@description('The payment provider, or the adapter to it that speaks as docs/payments.md says.')
param paymentsUrl string
@description('Who hears that little is left of a product; empty: the sender of the letters.')
param staffMail string = ''
param staffLanguage ('en' | 'de') = 'en'
@description('Origins whose pages may call from a browser, with spaces between; empty: none.')
param corsOrigins string = ''
@description('Where people read media: https://<nginx as the gateway>/media; empty: where the blobs lie.')
param mediaUrl string = ''
param environmentName string
param location string = resourceGroup().location

var names = namesOf(loadYamlContent('../topology.yaml'), uniqueString(resourceGroup().id))
var keys = loadJsonContent('keys.json')

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: names.vault
}

module functions 'modules/functions.bicep' = {
  name: 'functions'
  params: {
    spec: loadYamlContent('../k8s/aca/functions.yaml')
    image: image
    apiClientId: apiClientId
    mailUrl: mailUrl
    mailPasswordUrl: mailPasswordUrl
    mailFrom: mailFrom
    paymentsUrl: paymentsUrl
    staffMail: staffMail
    staffLanguage: staffLanguage
    corsOrigins: corsOrigins
    mediaUrl: mediaUrl
    masterKey: vault.getSecret(keys.master)
    defaultKey: vault.getSecret(keys.default)
    eventGridKey: vault.getSecret(keys.eventGrid)
    environmentName: environmentName
    location: location
  }
}
