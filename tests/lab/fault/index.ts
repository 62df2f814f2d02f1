export { cutOff, synRetries, type HeldChange } from "./heldChange";
export { HttpFaultProxy, type HttpFaultProxyOptions } from "./httpFaultProxy";
export type { HeaderChanges, HttpFault, HttpFaultRule, HttpRequestRecord } from "./httpFaultRule";
export { frontNode, frontRegistry, type FrontRegistryOptions } from "./labProxies";
export { nodeOfConnection } from "./peers";
export { TcpFaultProxy, type Direction, type Ending, type TcpConnectionRecord, type TcpFault, type TcpFaultProxyOptions } from "./tcpFaultProxy";
