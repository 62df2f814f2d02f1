import type { CodeText } from "./codeText";

/** Between this machine and a registry. */
export const registryCodes = {
  REGISTRY_UNKNOWN_HOST: {
    cause: "The name of the registry, or of the proxy, cannot be resolved.",
    wayOut: "Check its spelling, or this machine's DNS.",
  },
  REGISTRY_UNREACHABLE: {
    cause: "There is no connection to the registry, or to the proxy.",
    wayOut: "Check address and port, that it runs, and firewalls and proxies in between.",
  },
  REGISTRY_TIMEOUT: {
    cause: "The registry gave no answer in time.",
    wayOut: "Check its load and the network, then run again; what is there is kept.",
  },
  REGISTRY_CONNECTION_LOST: {
    cause: "The connection to the registry broke.",
    wayOut: "Run again; what is there is kept.",
  },
  REGISTRY_CLOSED: {
    cause: "The operation was ended while requests were under way.",
    wayOut: "Run again.",
  },
  REGISTRY_STREAM_SPENT: {
    cause: "An upload broke off where the package cannot be read again in place; it is sent with the next pass.",
    wayOut: "Run again; if it comes again, check the connection to the registry.",
  },
  REGISTRY_NOT_TLS: {
    cause: "The registry does not speak TLS.",
    wayOut: "If it has none, write http:// in front of its endpoint.",
  },
  REGISTRY_NEEDS_TLS: {
    cause: "The registry speaks TLS, and the endpoint says http://.",
    wayOut: "Write https://, or leave the scheme out.",
  },
  REGISTRY_TLS_VERSION: {
    cause: "The registry offers no TLS version from 1.2 on.",
    wayOut: "Enable TLS 1.2 or 1.3 on it, or on what ends TLS in front of it.",
  },
  REGISTRY_TLS_REFUSED: {
    cause: "The registry broke the TLS handshake off.",
    wayOut: "Check which TLS versions, ciphers and client certificates it asks for.",
  },
  REGISTRY_CLIENT_CERTIFICATE: {
    cause: "The registry wants a client certificate, which cannot be given here.",
    wayOut: "Let it take a user and password, or requests without them, from this machine.",
  },
  REGISTRY_CERTIFICATE_NAME: {
    cause: "The registry's certificate is not made out to the name in the endpoint.",
    wayOut: "Use one of its names, or have the certificate made with this one.",
  },
  REGISTRY_CERTIFICATE_EXPIRED: {
    cause: "The registry's certificate, or a CA above it, is expired or not yet valid.",
    wayOut: "Renew it, or check this machine's clock.",
  },
  REGISTRY_CERTIFICATE_UNKNOWN: {
    cause: "The registry's certificate is not signed by a CA that is known here.",
    wayOut: "Give the CA's certificate as caCertPath.",
  },
  REGISTRY_NOT_A_REGISTRY: {
    cause: "What answers at the endpoint is no registry.",
    wayOut: "Check host and port; a namespace is written after them.",
  },
  REGISTRY_UNAUTHORIZED: {
    cause: "The registry, or its token server, did not accept the credentials.",
    wayOut:
      "Check username and password, log in again if they come from a Docker config, or run the credentialCommand that the error names by hand.",
  },
  REGISTRY_CREDENTIALS_MISSING: {
    cause: "The registry asks for credentials, and none were given.",
    wayOut: "Give username and password, or a Docker config that has an entry for it.",
  },
  REGISTRY_DENIED: {
    cause: "The registry knows the user and refuses what was asked (403, or 401 to a token that was granted).",
    wayOut: "Give the user the right that the error names, or make the repository or its project first.",
  },
  REGISTRY_REPOSITORY_MISSING: {
    cause: "The registry has no such repository, and makes none on push.",
    wayOut: "Make it first, or have the registry make it on push.",
  },
  REGISTRY_TOKEN_INVALID: {
    cause: "The registry's token server cannot be used.",
    wayOut: "Check its address and its answer in the registry's configuration.",
  },
  REGISTRY_DOWNGRADE: {
    cause: "The registry is reached by https and leads elsewhere without TLS; nothing was sent there.",
    wayOut: "Correct the external address in the registry's configuration.",
  },
  REGISTRY_NOT_FOUND: {
    cause: "The registry does not have what was asked for (404).",
    wayOut: "Check the namespace and that the repository exists.",
  },
  REGISTRY_TOO_LARGE: {
    cause: "The registry, or a proxy in front of it, takes no request of this size (413).",
    wayOut: "Raise the limit there.",
  },
  REGISTRY_RATE_LIMITED: {
    cause: "The registry asks for fewer requests (429), and did so until patience ended.",
    wayOut: "Run again later, or raise the limit there; what is there is kept.",
  },
  REGISTRY_SERVER_ERROR: {
    cause: "The registry failed (5xx).",
    wayOut: "Look at its log and its disk, then run again.",
  },
  REGISTRY_REFUSED: {
    cause: "The registry refused a request; the error has its own words.",
    wayOut: "Correct what they name, in the registry or in a proxy in front of it.",
  },
  REGISTRY_LAYER_URLS: {
    cause: "The registry takes no manifest with a layer that is fetched from its own URL.",
    wayOut: "Allow such URLs there, or leave the image out with exclude.",
  },
  REGISTRY_DIGEST_MISMATCH: {
    cause: "The registry stored or gave other bytes than were sent.",
    wayOut: "It, or a proxy or cache in front of it, changes contents; a mirror must keep them byte for byte.",
  },
  REGISTRY_DELETE_DISABLED: {
    cause: "The registry does not allow deletion.",
    wayOut:
      "Allow it there (distribution: REGISTRY_STORAGE_DELETE_ENABLED=true), or set deleteImages: false and leave prune out.",
  },
  REGISTRY_NO_TAG_LIST: {
    cause: "The registry does not list tags.",
    wayOut: "Give the user the right to list them, or set deleteImages: false and leave prune out.",
  },
  PROXY_INVALID: {
    cause: "The address of the proxy cannot be read.",
    wayOut: "Write http://HOST:PORT or http://USER:PASSWORD@HOST:PORT.",
  },
  PROXY_REFUSED: {
    cause: "The proxy wants credentials, or refused the connection.",
    wayOut: "Give credentials in the proxy's address, or have the proxy allow the registry.",
  },
  DOCKER_CONFIG_INVALID: {
    cause: "The Docker config is not what docker login writes.",
    wayOut: "Give a config.json with an auths entry for the registry.",
  },
  DOCKER_CONFIG_NO_ENTRY: {
    cause: "The Docker config has no credentials for the registry.",
    wayOut: "Log in once (docker login HOST:PORT), or give username and password.",
  },
  DOCKER_CONFIG_IDENTITY_TOKEN: {
    cause: "The Docker config has only an identity token, which cannot stand in a node's configuration.",
    wayOut: "Give a user and a password, such as those of a robot account.",
  },
  CREDENTIAL_COMMAND_FAILED: {
    cause: "The program of credentialCommand did not print a credential.",
    wayOut: "Run it by hand to see why; it must print the password alone, or Username and Secret as JSON.",
  },
  CREDENTIAL_HELPER_FAILED: {
    cause: "The credential helper that the Docker config names did not give credentials.",
    wayOut: "Run it by hand to see why, or give username and password.",
  },
} as const satisfies Record<string, CodeText>;
