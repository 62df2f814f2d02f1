import { messageOf } from "../../model/errors";
import type { RegistryEndpoint } from "../../registry/endpoint";
import { mirrorUrl, parseRegistryEndpoint } from "../../registry/endpoint";

/** An `endpoint` of a cluster file. */
export type ReadEndpoint =
  | { ok: true; parsed: RegistryEndpoint; /** With a scheme: `https://172.18.0.20:5000/v2/ns`. */ url: string }
  | { ok: false; problem: string };

/**
 * Reads `https://HOST:PORT`, the same with `/v2/NAMESPACE`, or either without a scheme (bmctl's field reference shows
 * both, and says "The /v2 is required when specifying a namespace": without it containerd would ask at another place
 * than bmctl pushed to).
 */
export function readEndpoint(text: string): ReadEndpoint {
  let parsed: RegistryEndpoint;
  try {
    parsed = parseRegistryEndpoint(text);
  } catch (error) {
    return { ok: false, problem: messageOf(error) };
  }
  const path = /^(?:[a-z]+:\/\/)?[^/]*(\/.*?)?\/*$/i.exec(text)?.[1] ?? "";
  if (path !== "" && path !== "/v2" && !path.startsWith("/v2/")) {
    return {
      ok: false,
      problem: `"${text}" has the namespace "${path.slice(1)}" without /v2/ before it: write ${mirrorUrl(parsed)}`,
    };
  }
  return { ok: true, parsed, url: mirrorUrl(parsed) };
}
