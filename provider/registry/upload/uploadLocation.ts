import type { Digest } from "../../model/digest";
import { withoutDowngrade } from "../auth/authorizer";
import { redactUrl } from "../http/answer";
import type { Sender, SendResponse } from "../http/sender";
import { RegistryError } from "../registryError";

/** Where an upload goes on: may be relative, on another path or host, with a query that must be kept. */
export function uploadLocation(response: SendResponse, sender: Sender): URL {
  const location = response.headers["location"];
  if (location === undefined) {
    throw new RegistryError(
      "REGISTRY_REFUSED",
      `${redactUrl(response.url)}: the registry began an upload without saying where (no Location). It, or a proxy in front of it, is not configured rightly.`,
    );
  }
  return withoutDowngrade(new URL(location, response.url), sender.endpoint, "upload location");
}

export function commitUrl(location: URL, digest: Digest): URL {
  const url = new URL(location);
  // Appended by hand: rewriting the query through URLSearchParams would re-encode the registry's own part of it.
  url.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}
