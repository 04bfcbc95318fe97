// What @azure/keyvault-secrets and @azure/identity do with the vault and Entra. Says "passed" at the end, or fails.
// Its arguments: the vault, the authority, the tenant, a client and its secret, who is Key Vault Secrets Officer.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { ClientSecretCredential, ManagedIdentityCredential } = require("@azure/identity");
const { SecretClient } = require("@azure/keyvault-secrets");
const [vault, authorityHost, tenant, client, secret] = process.argv.slice(2);
const options = { disableChallengeResourceVerification: true }; // JavaScript's URL reads 0.0.1 as 0.0.0.1
const application = new ClientSecretCredential(tenant, client, secret, { authorityHost, disableInstanceDiscovery: true });
const managed = new ManagedIdentityCredential({ clientId: process.env.AZURE_CLIENT_ID });

for (const credential of [application, managed]) {
  const secrets = new SecretClient(vault, credential, options);
  const first = await secrets.setSecret("from-javascript", "one", { contentType: "text", tags: { by: "node" } });
  await secrets.setSecret("from-javascript", "two");
  assert.equal((await secrets.getSecret("from-javascript")).value, "two");
  const earlier = await secrets.getSecret("from-javascript", { version: first.properties.version });
  assert.deepEqual([earlier.value, earlier.properties.tags.by], ["one", "node"]);
  const versions = [];
  for await (const each of secrets.listPropertiesOfSecretVersions("from-javascript")) versions.push(each.version);
  assert.equal(versions.length, 2);
  await secrets.updateSecretProperties("from-javascript", first.properties.version, { enabled: false });
  await assert.rejects(secrets.getSecret("from-javascript", { version: first.properties.version }), { statusCode: 403 });
  const backup = await secrets.backupSecret("from-javascript");
  await (await secrets.beginDeleteSecret("from-javascript")).pollUntilDone();
  await assert.rejects(secrets.setSecret("from-javascript", "three"), { statusCode: 409 });
  await (await secrets.beginRecoverDeletedSecret("from-javascript")).pollUntilDone();
  await (await secrets.beginDeleteSecret("from-javascript")).pollUntilDone();
  await secrets.purgeDeletedSecret("from-javascript");
  assert.equal((await secrets.restoreSecretBackup(backup)).name, "from-javascript");
  await (await secrets.beginDeleteSecret("from-javascript")).pollUntilDone();
  await secrets.purgeDeletedSecret("from-javascript");
  await assert.rejects(secrets.getSecret("from-javascript"), { statusCode: 404, code: "SecretNotFound" });
}
console.log("passed");
