export { cutOff, type HeldChange, synRetries } from "./heldChange";
export { HttpFaultProxy, type HttpFaultProxyOptions } from "./httpFaultProxy";
export type { HeaderChanges, HttpFault, HttpFaultRule, HttpRequestRecord } from "./httpFaultRule";
export { frontNode, frontRegistry, type FrontRegistryOptions } from "./labProxies";
export { nodeOfConnection } from "./peers";
export {
  type Direction,
  type Ending,
  type TcpConnectionRecord,
  type TcpFault,
  TcpFaultProxy,
  type TcpFaultProxyOptions,
} from "./tcpFaultProxy";
