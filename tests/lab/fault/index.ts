export { cutOff, type HeldChange, synRetries, usualSynRetries } from "./heldChange";
export { HttpFaultProxy } from "./httpFaultProxy";
export type { HttpFault, HttpFaultRule, HttpRequestRecord } from "./httpFaultRule";
export { frontNode, frontRegistry } from "./labProxies";
export { TcpFaultProxy } from "./tcpFaultProxy";
