// What @azure/eventgrid does with Event Grid. Says "passed" at the end, or fails. Its arguments: two endpoints, a key.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { AzureKeyCredential, AzureSASCredential, EventGridPublisherClient, generateSharedAccessSignature } =
  require("@azure/eventgrid");
const [endpoint, ownEndpoint, key] = process.argv.slice(2);
const byKey = new AzureKeyCredential(key);
const event = (id) => ({ id, source: "/js", type: "store.orders.order-placed.v1", data: { number: 1 } });

const client = new EventGridPublisherClient(endpoint, "CloudEvent", byKey);
await client.send([event("js-1"), { ...event("js-2"), data: new Uint8Array([0, 255]), datacontenttype: "image/png" }]);

const until = new Date(Date.now() + 3_600_000);
const signature = new AzureSASCredential(await generateSharedAccessSignature(endpoint, byKey, until));
await new EventGridPublisherClient(endpoint, "CloudEvent", signature).send([event("js-3")]);

const own = { id: "js-4", eventType: "t", subject: "/s", dataVersion: "1", data: { n: 1 } };
await new EventGridPublisherClient(ownEndpoint, "EventGrid", byKey).send([own]);

const old = await generateSharedAccessSignature(endpoint, byKey, new Date(Date.now() - 3_600_000));
for (const credential of [new AzureKeyCredential("d3Jvbmc="), new AzureSASCredential(old)]) {
  const stranger = new EventGridPublisherClient(endpoint, "CloudEvent", credential);
  await assert.rejects(stranger.send([event("js-5")]), (error) => error.statusCode === 401);
}
await assert.rejects(new EventGridPublisherClient(endpoint, "EventGrid", byKey).send([own]), (e) => e.statusCode === 400);
console.log("passed");
