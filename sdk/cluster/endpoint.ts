/**
 * What a cluster file may say as `endpoint`: `https://HOST:PORT`, the same with `/v2/NAMESPACE`, or either without a scheme
 * (bmctl's field reference shows both). Returns what is wrong with it, undefined when nothing is.
 *
 * Only the file's own rules are checked here; what the text means is parsed where RegistryMirror takes it.
 */
export function endpointProblem(text: string): string | undefined {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== "https" && scheme !== "http") {
    return `the scheme "${scheme}" is none a registry speaks: write https:// (or http:// for a registry without TLS)`;
  }
  let url: URL;
  try {
    url = new URL(scheme === undefined ? `https://${text}` : text);
  } catch {
    return `${quoted(text)} is not HOST:PORT or https://HOST:PORT, each with /v2/NAMESPACE behind it where a namespace is used`;
  }
  if (url.username !== "" || url.password !== "") {
    return "a user or password stands in the endpoint: put them into the Docker config file that pullCredentialConfigPath names";
  }
  if (url.search !== "" || url.hash !== "" || /\s/.test(text)) {
    return `${quoted(text)} has something behind the path: write only https://HOST:PORT or https://HOST:PORT/v2/NAMESPACE`;
  }
  const path = url.pathname.replace(/\/+$/, "");
  if (path !== "" && path !== "/v2" && !path.startsWith("/v2/")) {
    return `${quoted(text)} has the namespace "${path.slice(1)}" without /v2/ before it, which containerd needs: write ${scheme === undefined ? "" : `${scheme}://`}${url.host}/v2${path}`;
  }
  return undefined;
}

/** `HOST:PORT` in lower case, for comparing. */
export function endpointHost(text: string): string {
  return text.toLowerCase().replace(/^[a-z][a-z0-9+.-]*:\/\//, "").replace(/\/.*$/, "");
}

/** The whole endpoint in one spelling, for comparing. */
export function endpointKey(text: string): string {
  const scheme = /^(https?):\/\//i.exec(text)?.[1]?.toLowerCase() ?? "https";
  const path = text.replace(/^https?:\/\//i, "").replace(/^[^/]*/, "").replace(/\/+$/, "");
  return `${scheme}://${endpointHost(text)}${path === "/v2" ? "" : path}`;
}

function quoted(text: string): string {
  // A password in a place where none belongs must not be shown by the very message that complains about it.
  return JSON.stringify(text.replace(/\/\/[^/]*@/, "//[hidden]@").replace(/^[^/]*@/, "[hidden]@"));
}
