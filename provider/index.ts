/**
 * What the state's stubs load: one dynamic provider a resource type. Names are part of every user's state; never rename
 * one.
 */
export { registryMirror } from "./resources/mirror/operations";
export { nodeContainerd } from "./resources/node/operations";
export { imagePushSet } from "./resources/pushSet/operations";
