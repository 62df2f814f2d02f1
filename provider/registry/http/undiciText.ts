/**
 * The status with which a proxy refused a tunnel. undici throws one class of error for that and for much else, and has
 * the status in its words only.
 *
 * Source: undici 8.12, lib/dispatcher/proxy-agent.js: "Proxy response (403) !== 200 when HTTP Tunneling", "Proxy
 * Authentication Required (407)".
 */
const refusals: readonly RegExp[] = [/Proxy response \((\d{3})\)/, /Proxy Authentication Required \((407)\)/];

/** `undefined`: the proxy did not refuse. */
export function proxyRefusal(message: string): number | undefined {
  const status = refusals.map((pattern) => pattern.exec(message)?.[1]).find((found) => found !== undefined);
  return status === undefined ? undefined : Number(status);
}
