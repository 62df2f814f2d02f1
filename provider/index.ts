/** What the state's stubs load: one dynamic provider a resource type. Names are part of every user's state; never rename one. */
export { imagePushSet } from "./resources/pushSet/operations";
export { nodeContainerd } from "./resources/node/operations";
export { registryMirror } from "./resources/mirror/operations";
