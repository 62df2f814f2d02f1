import { BlockList, isIP } from "node:net";

import { RegistryError } from "../registryError";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for one URL, or undefined for a direct connection.
 *
 * An explicit `registry.proxy` holds for every host of that registry, token servers included, and NO_PROXY does not
 * touch it: who writes it down for one registry means it. Otherwise HTTPS_PROXY or HTTP_PROXY, with NO_PROXY, are read
 * as bmctl (Go) reads them: lower or upper case; loopback addresses and `localhost` never go by a proxy of the
 * environment.
 *
 * @throws RegistryError `PROXY_INVALID`
 */
export function proxyFor(
  url: URL,
  explicit: string | undefined,
  environment: Environment = process.env,
  argument = "registry",
): URL | undefined {
  if (explicit !== undefined && explicit !== "") {
    return parseProxy(explicit, `${argument}.proxy`);
  }
  const name = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const value = environment[name] || environment[name.toLowerCase()];
  if (
    value === undefined ||
    value === "" ||
    !usesProxy(url, environment["NO_PROXY"] || environment["no_proxy"] || "")
  ) {
    return undefined;
  }
  return parseProxy(value, name);
}

/** `[http://|https://][user:password@]host[:port]`; without a scheme it is http. */
function parseProxy(text: string, where: string): URL {
  const shown = text.replace(/[^/]*@/, "***@");
  let url: URL;
  try {
    url = new URL(/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text) ? text : `http://${text}`);
  } catch (cause) {
    throw new RegistryError(
      "PROXY_INVALID",
      `${where} "${shown}" is not an address; expected http://HOST:PORT or http://USER:PASSWORD@HOST:PORT.`,
      { cause },
    );
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new RegistryError(
      "PROXY_INVALID",
      `${where} "${shown}": "${url.protocol}//" is not supported; use an http:// or https:// proxy.`,
    );
  }
  return url;
}

/**
 * Whether NO_PROXY leaves this URL to the proxy. Entries: `*`, `example.com` (and below), `.example.com` (only below),
 * IP, CIDR, each with an optional port.
 *
 * @internal Exported for its table of tests.
 */
export function usesProxy(url: URL, noProxy: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  if (host === "localhost" || host === "::1" || host.startsWith("127.")) {
    return false;
  }
  for (const entry of noProxy.toLowerCase().split(/[,\s]+/)) {
    if (entry !== "" && (entry === "*" || matches(entry, host, port))) {
      return false;
    }
  }
  return true;
}

function matches(entry: string, host: string, port: string): boolean {
  const family = isIP(host);
  const cidr = /^(.+)\/([0-9]+)$/.exec(entry);
  if (cidr !== null) {
    const [, address, bits] = cidr as unknown as [string, string, string];
    const entryFamily = isIP(address);
    if (entryFamily === 0 || family !== entryFamily || Number(bits) > (entryFamily === 4 ? 32 : 128)) {
      return false;
    }
    const list = new BlockList();
    list.addSubnet(address, Number(bits), entryFamily === 4 ? "ipv4" : "ipv6");
    return list.check(host, family === 4 ? "ipv4" : "ipv6");
  }
  let name = entry;
  if (isIP(entry) !== 6) {
    const withPort = /^(.*):([0-9]+)$/.exec(entry);
    if (withPort !== null) {
      if (withPort[2] !== port) {
        return false;
      }
      name = withPort[1] as string;
    }
  }
  name = name.replace(/^\[|\]$/g, "").replace(/^\*\./, ".");
  if (name.startsWith(".")) {
    return host.endsWith(name);
  }
  return host === name || (family === 0 && host.endsWith(`.${name}`));
}
