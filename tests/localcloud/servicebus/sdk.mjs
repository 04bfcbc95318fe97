// What @azure/service-bus does with the broker. Says "passed" at the end, or fails. Its argument: a connection string.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { ServiceBusAdministrationClient, ServiceBusClient } = require("@azure/service-bus");
const { Constants } = require("@azure/core-amqp");
const [connection] = process.argv.slice(2);
const client = new ServiceBusClient(connection, { retryOptions: { maxRetries: 1 } });
const text = (messages) => messages.map((message) => message.body);
const wait = { maxWaitTimeInMs: 10_000 };

const sender = client.createSender("catalog");
const receiver = client.createReceiver("catalog");
const plain = ["2", "3"].map((body) => ({ body, messageId: `m-${body}` }));
await sender.sendMessages([{ body: "1", messageId: "m-1", applicationProperties: { n: 1 } }, ...plain]);
const [first, second, third] = await take(receiver, 3);
assert.equal(first.applicationProperties.n, 1);
await receiver.completeMessage(first);
await receiver.abandonMessage(second, { tried: "once" });
await receiver.deferMessage(third);
const [again] = await take(receiver, 1);
assert.deepEqual([again.body, again.deliveryCount, again.applicationProperties.tried], ["2", 1, "once"]);
await receiver.renewMessageLock(again);
await receiver.deadLetterMessage(again, { deadLetterReason: "because", deadLetterErrorDescription: "no sku" });
const [deferred] = await receiver.receiveDeferredMessages([third.sequenceNumber]);
await receiver.completeMessage(deferred);
const letters = client.createReceiver("catalog", { subQueueType: "deadLetter", receiveMode: "receiveAndDelete" });
assert.equal((await take(letters, 1))[0].deadLetterReason, "because");
const [number] = await sender.scheduleMessages([{ body: "later", messageId: "m-5" }], new Date(Date.now() + 3_600_000));
assert.equal((await receiver.peekMessages(5, { fromSequenceNumber: number }))[0].body, "later");
await sender.cancelScheduledMessages(number);

const session = client.createSender("sessions");
await session.sendMessages({ body: "in a session", messageId: "m-4", sessionId: "s" });
const accepted = await client.acceptNextSession("sessions");
assert.equal(accepted.sessionId, "s");
await accepted.setSessionState("half way");
await accepted.renewSessionLock();
const [of] = await take(accepted, 1);
await accepted.completeMessage(of);
assert.equal(String(await accepted.getSessionState()), "half way");
await accepted.close();

const topic = client.createSender("told");
await topic.sendMessages({ body: "all", messageId: "m-6", subject: "order" });
assert.deepEqual(text(await take(client.createReceiver("told", "all", { receiveMode: "receiveAndDelete" }), 1)), ["all"]);

const rules = client.createRuleManager("told", "few");
await rules.createRule("red", { sqlExpression: "colour = 'red'" }, { sqlExpression: "SET seen = 'yes'" });
await rules.createRule("orders", { subject: "order", applicationProperties: { n: 1 } });
await rules.deleteRule("$Default");
await assert.rejects(rules.createRule("RED", { sqlExpression: "1=1" }), { code: "MessagingEntityAlreadyExists" });
await assert.rejects(rules.createRule("bad", { sqlExpression: "a = = 1" }), { code: "GeneralError" });
await assert.rejects(rules.deleteRule("nope"), { code: "MessagingEntityNotFound" });
const listed = [];
for await (const rule of rules.listRules()) listed.push(rule);
assert.deepEqual(listed.map((rule) => rule.name), ["red", "orders"]);
assert.equal(listed[0].filter.sqlExpression, "colour = 'red'");
assert.equal(listed[0].action.sqlExpression, "SET seen = 'yes'");
assert.deepEqual([listed[1].filter.subject, listed[1].filter.applicationProperties], ["order", { n: 1 }]);
const blue = { body: "blue", messageId: "m-7", applicationProperties: { colour: "blue" } };
await topic.sendMessages([blue, { body: "red", messageId: "m-8", applicationProperties: { colour: "red" } }]);
const [early, red] = await take(client.createReceiver("told", "few", { receiveMode: "receiveAndDelete" }), 2);
assert.deepEqual([early.body, red.body, red.applicationProperties.seen], ["all", "red", "yes"]);
await client.close();

const usual = Constants.defaultConnectionIdleTimeoutInMs;
assert.equal(usual, 60_000);
Constants.defaultConnectionIdleTimeoutInMs = 300; // it gives up whoever is silent for twice as long
const patient = new ServiceBusClient(connection, { retryOptions: { maxRetries: 0 } });
Constants.defaultConnectionIdleTimeoutInMs = usual;
const cuts = [];
patient._connectionContext.connection.on("disconnected", () => cuts.push("disconnected")); // the SDK itself comes again
const heard = new Promise((resolve, reject) => {
  patient.createReceiver("catalog", { receiveMode: "receiveAndDelete" }).subscribe({
    processMessage: async (message) => resolve(message.body),
    processError: async ({ error }) => reject(error),
  });
});
const late = new Date(Date.now() + 2_000);
await patient.createSender("catalog").scheduleMessages([{ body: "after silence", messageId: "m-9" }], late);
assert.deepEqual([await heard, cuts], ["after silence", []]);
await patient.close();

const administration = new ServiceBusAdministrationClient(connection.replace(";UseDevelopmentEmulator=true", ""));
await administration.createQueue("from-javascript", { lockDuration: "PT10S", maxDeliveryCount: 3 });
assert.equal((await administration.getQueue("from-javascript")).maxDeliveryCount, 3);
const filter = { sqlExpression: "sys.Label = @label", sqlParameters: { "@label": "order" } };
await administration.createRule("told", "all", "orders", filter);
assert.equal((await administration.getRule("told", "all", "orders")).filter.sqlExpression, "sys.Label = @label");
assert.equal((await administration.getQueueRuntimeProperties("catalog")).totalMessageCount, 0);
await administration.deleteQueue("from-javascript");
assert.equal(await administration.queueExists("from-javascript"), false);
console.log("passed");

async function take(from, count) {
  const messages = [];
  while (messages.length < count) {
    const some = await from.receiveMessages(count - messages.length, wait);
    assert.notEqual(some.length, 0, `nothing came after ${text(messages)}`);
    messages.push(...some);
  }
  return messages;
}
