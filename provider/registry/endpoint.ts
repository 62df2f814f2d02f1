import { isHost, isRepository } from "../model/reference";
import { RegistryError } from "./registryError";

/** A registry's address as a program gives it, taken apart. Two texts of one place give equal values. */
export interface RegistryEndpoint {
  scheme: "https" | "http";
  /** Lower case; an IPv6 address in brackets. */
  host: string;
  port: number;
  /** Path below which all images go; "" for none. Never starts with the API path `v2/`. */
  namespace: string;
  /** `HOST:PORT`, or `HOST` where the text had no port: the first part of every image name that lies here. */
  authority: string;
}

const ways = "expected HOST:PORT, HOST:PORT/NAMESPACE, https://HOST:PORT or https://HOST:PORT/v2/NAMESPACE";

/**
 * Reads `HOST:PORT`, `HOST:PORT/NAMESPACE`, the same behind `https://` or `http://`, and
 * `https://HOST:PORT/v2/NAMESPACE` (facts of bmctl: `--private-registry` takes the first two, the cluster file's
 * `endpoint` the others). A leading `v2/` is the API's path in every form, never part of the namespace. Without a
 * scheme it is https.
 *
 * The port may be left out only for a DNS name (then 443, or 80 behind http://) or behind an explicit scheme. A bare IP
 * address, `localhost`, or a name without a dot needs one: in an image name, such a first part without a port means a
 * folder on docker.io.
 *
 * Pure: a program calls it while it is being planned.
 *
 * @throws RegistryError `ENDPOINT_INVALID`; a password in the text is never repeated.
 */
export function parseRegistryEndpoint(text: string): RegistryEndpoint {
  const shown = text.replace(/\/\/[^/]*@/, "//***@").replace(/^[^/]*@/, "***@");
  const invalid = (why: string): RegistryError =>
    new RegistryError("ENDPOINT_INVALID", `registry endpoint "${shown}": ${why}; ${ways}.`);

  if (text.trim() === "") {
    throw invalid("it is empty");
  }
  if (/\s/.test(text)) {
    throw invalid("it has a space in it");
  }
  const schemeMatch = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(text);
  const givenScheme = schemeMatch?.[1]?.toLowerCase();
  if (givenScheme !== undefined && givenScheme !== "https" && givenScheme !== "http") {
    throw invalid(`"${givenScheme}://" is not a scheme of a registry (https:// or, without TLS, http://)`);
  }
  const slip = /^(https?):?\/*/i.exec(text);
  if (schemeMatch === null && slip !== null && /^https?:?\//i.test(text)) {
    throw invalid(`"${slip[0]}" should read "${(slip[1] as string).toLowerCase()}://"`);
  }
  const scheme = givenScheme ?? "https";
  const rest = schemeMatch === null ? text : text.slice(schemeMatch[0].length);
  if (rest.includes("@")) {
    throw invalid("credentials do not belong in the address; give username and password, or dockerConfigPath");
  }
  if (/[?#]/.test(rest)) {
    throw invalid("a query (?) or a fragment (#) does not belong in it");
  }

  const slash = rest.indexOf("/");
  const place = slash < 0 ? rest : rest.slice(0, slash);
  const path = slash < 0 ? "" : rest.slice(slash + 1).replace(/\/+$/, "");

  const { host, port } = splitPort(place, invalid);
  if (host === "" || !isHost(host)) {
    throw invalid(
      host.includes(":") && !host.startsWith("[")
        ? `write the IPv6 address in brackets: [${host}]:PORT`
        : `"${host}" is not a host`,
    );
  }
  const namespace = path === "v2" ? "" : path.replace(/^v2\//, "");
  if (namespace !== "" && !isRepository(namespace)) {
    throw invalid(`"${namespace}" cannot be a namespace (lower case letters and digits, with . _ - or / between them)`);
  }

  const lower = host.toLowerCase();
  const plainName = !isAddress(lower) && lower.includes(".");
  if (port === undefined && !plainName && givenScheme === undefined) {
    throw invalid(`"${lower}" needs its port, as in ${lower}:5000`);
  }
  const effective = port ?? (scheme === "https" ? 443 : 80);
  const authority = port === undefined && plainName ? lower : `${lower}:${effective}`;
  return { scheme, host: lower, port: effective, namespace, authority };
}

function splitPort(place: string, invalid: (why: string) => RegistryError): { host: string; port: number | undefined } {
  const bracket = place.startsWith("[") ? place.indexOf("]") : -1;
  if (place.startsWith("[") && bracket < 0) {
    throw invalid("the bracket of the IPv6 address is not closed");
  }
  const colon = place.indexOf(":", bracket + 1);
  if (colon < 0) {
    return { host: place, port: undefined };
  }
  if (bracket < 0 && place.includes(":", colon + 1)) {
    return { host: place, port: undefined };
  }
  const digits = place.slice(colon + 1);
  const port = Number(digits);
  if (!/^[0-9]{1,5}$/.test(digits) || port < 1 || port > 65535) {
    throw invalid(`"${digits}" is not a port (1 to 65535)`);
  }
  return { host: place.slice(0, colon), port };
}

function isAddress(host: string): boolean {
  return host.startsWith("[") || /^[0-9]+(?:\.[0-9]+){3}$/.test(host);
}

/**
 * The form that containerd's configuration and the cluster file use: `https://HOST:PORT` or
 * `https://HOST:PORT/v2/NAMESPACE`.
 */
export function mirrorUrl(endpoint: RegistryEndpoint): string {
  return `${baseUrl(endpoint)}${endpoint.namespace === "" ? "" : `/v2/${endpoint.namespace}`}`;
}

/** How every image name on it begins: `HOST:PORT` or `HOST:PORT/NAMESPACE`. */
export function imageNameBase(endpoint: RegistryEndpoint): string {
  return endpoint.namespace === "" ? endpoint.authority : `${endpoint.authority}/${endpoint.namespace}`;
}

/** `https://HOST:PORT` without any path. */
export function baseUrl(endpoint: RegistryEndpoint): string {
  return `${endpoint.scheme}://${endpoint.authority}`;
}

/** A path below the namespace as the registry's API wants it: `NAMESPACE/PATH`. */
export function repositoryBelow(endpoint: RegistryEndpoint, path: string): string {
  return endpoint.namespace === "" ? path : `${endpoint.namespace}/${path}`;
}
