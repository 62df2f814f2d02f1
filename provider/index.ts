/** What the state's stubs load: one dynamic provider a resource type. Names are part of every user's state; never rename one. */
export { imagePushSet } from "./imagePushSet";
export { nodeContainerd } from "./nodeContainerd";
export { registryMirror } from "./registryMirror";
