// Veramo's mediator on loopback, with what its packages offer and nothing of ours: PORT=7101 mediator.mjs
// Prints {"did","http"} and runs until it is killed.
import { DataStoreJson } from "@veramo/data-store-json";
import * as didcomm from "@veramo/did-comm";
import { KeyValueStore } from "@veramo/kv-store";
import { MediationManagerPlugin } from "@veramo/mediation-manager";
import { MessageHandler } from "@veramo/message-handler";
import { MessagingRouter, RequestWithAgentRouter } from "@veramo/remote-server";
import express from "express";
import { agent, newDid } from "./agent.mjs";

const port = Number(process.env.PORT);
const http = `http://127.0.0.1:${port}/messaging`;
const store = () => new KeyValueStore({ store: new Map() });
const messageHandlers = [
  new didcomm.DIDCommMessageHandler(),
  new didcomm.CoordinateMediationMediatorMessageHandler(true),
  new didcomm.CoordinateMediationV3MediatorMessageHandler(),
  new didcomm.PickupMediatorMessageHandler(),
  new didcomm.RoutingMessageHandler(),
];
const mediator = agent(
  new MessageHandler({ messageHandlers }),
  new MediationManagerPlugin(true, store(), store(), store()),
  new DataStoreJson({ notifyUpdate: async () => {} }),
);
const did = await newDid(mediator, "mediator", http);
express()
  .use("/messaging", RequestWithAgentRouter({ agent: mediator }), MessagingRouter({ metaData: { type: "DIDComm", value: "http" }, save: true }))
  .listen(port, "127.0.0.1", () => console.log(JSON.stringify({ did, http })));
